#!/usr/bin/env bash
# vsftpd for the user `sender`, who sees nothing but one folder: one that offers TLS by AUTH and takes logins without it,
# and one with TLS from the first byte. Both want the data's connection to resume the session of the commands', as
# servers in the field do. Installs vsftpd, openssl and python3 where they are missing. It runs in namespaces with a passwd, a
# shadow and a PAM service of its own, so that the machine gets no user and all of it ends at once.
peer=ftp
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "vsftpd starts as root only: run this as root"
need /usr/sbin/vsftpd vsftpd
need /usr/bin/openssl openssl
need /usr/bin/python3 python3
explicit=$(port explicit) implicit=$(port implicit)
home=$state/home own=$state/own
mkdir -p "$home/files/readonly" "$home/files/small" "$own" /var/run/vsftpd/empty
chmod 755 "$home" "$home/files/readonly"
chown 61002:61002 "$home/files"
[ -s "$own/cert.pem" ] || certificate "$own"
{ cat /etc/passwd; echo 'sender:x:61002:61002::/srv:/bin/sh'; } >"$own/passwd"
{ cat /etc/group; echo 'sender:x:61002:'; } >"$own/group"
{ cat /etc/shadow; echo "sender:$(openssl passwd -6 's3cret/+'):19000:0:99999:7:::"; } >"$own/shadow"
chmod 600 "$own/shadow"
printf 'auth required pam_unix.so\naccount required pam_unix.so\n' >"$own/pam"
for kind in explicit implicit; do
  cat >"$own/$kind.conf" <<END
listen=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
chroot_local_user=YES
local_umask=022
pam_service_name=vsftpd
secure_chroot_dir=/var/run/vsftpd/empty
pasv_address=127.0.0.1
ssl_enable=YES
implicit_ssl=$([ $kind = implicit ] && echo YES || echo NO)
force_local_data_ssl=NO
force_local_logins_ssl=NO
rsa_cert_file=$own/cert.pem
rsa_private_key_file=$own/key.pem
require_ssl_reuse=YES
ssl_ciphers=HIGH
seccomp_sandbox=NO
vsftpd_log_file=$state/vsftpd.log
xferlog_enable=YES
log_ftp_protocol=YES
END
done
if ! running; then
  setsid unshare --mount --propagation private --pid --fork --kill-child bash -c "
    set -e
    mount --bind '$home' /srv
    mount -t tmpfs -o size=256k,uid=61002,gid=61002,mode=755 small /srv/files/small
    for file in passwd group shadow; do mount --bind '$own/'\$file /etc/\$file; done
    mount --bind '$own/pam' /etc/pam.d/vsftpd
    exec python3 '$here/ftp/listen.py' '$explicit=$own/explicit.conf' '$implicit=$own/implicit.conf'" >>"$state/ftpd.log" 2>&1 </dev/null &
  remember $!
fi
listening "$explicit"
listening "$implicit"
tell FTP_PORT="$explicit" FTP_TLS_PORT="$implicit" FTP_USER=sender FTP_PASSWORD='s3cret/+' FTP_CA="$own/ca.pem" \
  FTP_FOLDER="$home/files"
