#!/usr/bin/env bash
# Dovecot over a Maildir of the private Postfix: mail to `returned...@test.local` can be read by the user `returned`. Installs dovecot-imapd where it is missing, and starts the mail server.
peer=imap
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "Dovecot starts as root only: run this as root"
"$here/smtp/up.sh"
need /usr/lib/dovecot/imap dovecot-imapd
smtp=$state/../smtp/env
told() { sed -n "s/^$1=//p" "$smtp"; }
mail=$(dirname "$(told SMTP_MAILDIR)") ca=$(told SMTP_CA)
tls=$(dirname "$ca")
home=$state/home
port=$(port imaps)
mkdir -p "$home/users"
chown postfix "$home/users"
cat >"$home/dovecot.conf" <<END
protocols = imap
base_dir = $home/run
state_dir = $home/state
log_path = $home/dovecot.log
listen = 127.0.0.1
ssl = required
ssl_cert = <$tls/cert.pem
ssl_key = <$tls/key.pem
mail_location = maildir:$mail/%n
mail_uid = $(id -u postfix)
mail_gid = $(id -g postfix)
first_valid_uid = 1
passdb {
  driver = static
  args = password=s3cret/+
}
userdb {
  driver = static
  args = uid=$(id -u postfix) gid=$(id -g postfix) home=$home/users/%n
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = $port
  }
}
END
if ! running; then
  setsid /usr/sbin/dovecot -F -c "$home/dovecot.conf" >>"$state/start.log" 2>&1 </dev/null &
  remember $!
fi
listening "$port"
tell IMAP_PORT="$port" IMAP_PASSWORD='s3cret/+' IMAP_CA="$ca"
