#!/usr/bin/env bash
# OpenSSH's SFTP server for the user `sender`, who logs in with a key or a password and sees nothing but one folder.
# Installs openssh-server and openssl where they are missing. It runs in namespaces with a passwd and a shadow of its
# own, so that the machine gets no user and all of it ends at once; sshd wants nobody else to be able to write above the folder, so that it is
# bound to /srv there, and the keys to /media.
peer=sftp
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "sshd starts as root only: run this as root"
need /usr/sbin/sshd openssh-server
need /usr/bin/openssl openssl
port=$(port ssh)
home=$state/home keys=$state/keys
mkdir -p "$home/files/readonly" "$home/files/small" "$keys" /run/sshd
for kind in host_ed25519 client_ed25519; do
  [ -s "$keys/$kind" ] || ssh-keygen -q -t ed25519 -N '' -C "$kind" -f "$keys/$kind"
done
cp "$keys/client_ed25519.pub" "$keys/authorized_keys"
chmod 755 "$keys" "$home"
chmod 644 "$keys/authorized_keys"
chown 61001:61001 "$home/files"
{ cat /etc/passwd; echo 'sender:x:61001:61001::/:/usr/sbin/nologin'; } >"$keys/passwd"
{ cat /etc/group; echo 'sender:x:61001:'; } >"$keys/group"
{ cat /etc/shadow; echo "sender:$(openssl passwd -6 's3cret/+'):19000:0:99999:7:::"; } >"$keys/shadow"
chmod 600 "$keys/shadow"
cat >"$keys/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $keys/host_ed25519
PidFile none
UsePAM no
StrictModes no
PermitRootLogin no
AllowUsers sender
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile /media/authorized_keys
ChrootDirectory /srv
Subsystem sftp internal-sftp
ForceCommand internal-sftp
AllowTcpForwarding no
X11Forwarding no
UseDNS no
MaxStartups 100
END
if ! running; then
  setsid unshare --mount --propagation private --pid --fork --kill-child bash -c "
    set -e
    mount --bind '$home' /srv
    mount -t tmpfs -o size=256k,uid=61001,gid=61001,mode=755 small /srv/files/small
    mount --bind '$keys' /media
    for file in passwd group shadow; do mount --bind '$keys/'\$file /etc/\$file; done
    exec /usr/sbin/sshd -D -e -f '$keys/sshd_config'" >>"$state/sshd.log" 2>&1 </dev/null &
  remember $!
fi
listening "$port"
tell SFTP_PORT="$port" SFTP_USER=sender SFTP_PASSWORD='s3cret/+' SFTP_KEY="$keys/client_ed25519" \
  SFTP_HOST_KEY="$(cut -d' ' -f1,2 "$keys/host_ed25519.pub")" SFTP_FOLDER="$home/files"
