#!/usr/bin/env bash
# A private Postfix for @test.local, with STARTTLS, TLS and AUTH. Installs postfix, sasl2-bin, libsasl2-modules and
# openssl where they are missing. Mail that is taken arrives in one Maildir, but for that to `returned...`, which
# has one of its own, and that to `gone...`, which comes back. What is not taken is decided by how the mailbox
# begins: see `recipients` below.
peer=smtp
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "Postfix starts as root only: run this as root"
need /usr/bin/python3 python3
need /usr/sbin/postfix postfix
need /usr/sbin/saslpasswd2 sasl2-bin libsasl2-modules
need /usr/bin/openssl openssl

# Postfix works as the user postfix, who cannot pass through closed folders such as /root.
home=$state/home
mkdir -p "$home"
if ! setpriv --reuid=postfix --regid=postfix --clear-groups test -x "$home" 2>/dev/null; then
  home=/var/tmp/postbook-smtp-$(echo "$state" | cksum | cut -d' ' -f1)
  mkdir -p "$home"
  say "$state is closed to the user postfix: the queue and the mail are in $home"
fi
conf=$home/conf queue=$home/queue mail=$home/mail tls=$home/tls
plain=$(port plain) submission=$(port submission) smtps=$(port smtps)
mkdir -p "$conf/sasl" "$queue" "$mail" "$tls" "$home/data"
chown postfix "$mail" "$home/data"

[ -s "$tls/cert.pem" ] || certificate "$tls"

if [ ! -s "$home/sasldb" ]; then
  printf 's3cret/+' | saslpasswd2 -p -c -f "$home/sasldb" -u test.local reports
  chown postfix "$home/sasldb"
fi
cat >"$conf/sasl/smtpd.conf" <<END
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: $home/sasldb
END

cat >"$conf/recipients" <<'END'
/^nouser/    550 5.1.1 No such user here
/^disabled/  550 5.2.1 Mailbox disabled
/^full/      452 4.2.2 Mailbox full
/^greylist/  451 4.7.1 Greylisted, try again later
/^spam/      554 5.7.1 Refused by policy
/^drop/      421 4.3.2 Closing the connection
END

# `gone...` is taken and comes back; what comes back has a mailbox of its own.
cat >"$conf/mailboxes" <<'END'
/^returned/  returned/
if !/^gone/
/./         inbox/
endif
END

cat >"$conf/main.cf" <<END
compatibility_level = 3.6
queue_directory = $queue
data_directory = $home/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = $home
maillog_file = $home/mail.log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test.local
mydestination =
mynetworks = 127.0.0.0/8
local_transport = virtual
default_transport = error:5.4.4 only test.local is delivered here
disable_dns_lookups = yes
alias_maps =
notify_classes =
virtual_mailbox_domains = test.local
virtual_mailbox_base = $mail
virtual_mailbox_maps = regexp:$conf/mailboxes
virtual_mailbox_limit = 0
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
message_size_limit = 10240000
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_recipient_restrictions = check_recipient_access regexp:$conf/recipients, permit
smtpd_reject_unlisted_recipient = no
# What was cut off in its delivery is soon delivered.
queue_run_delay = 2s
minimal_backoff_time = 2s
smtpd_tls_security_level = may
smtpd_tls_cert_file = $tls/cert.pem
smtpd_tls_key_file = $tls/key.pem
cyrus_sasl_config_path = $conf/sasl
smtpd_sasl_local_domain = test.local
END

{
  echo "127.0.0.1:$plain inet n - n - - smtpd"
  echo "127.0.0.1:$submission inet n - n - - smtpd -o smtpd_tls_security_level=encrypt" \
    "-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
  echo "127.0.0.1:$smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes"
  for service in 'cleanup unix n - n - 0' 'qmgr unix n - n 300 1' 'rewrite unix - - n - - trivial-rewrite' \
    'bounce unix - - n - 0' 'defer unix - - n - 0 bounce' 'trace unix - - n - 0 bounce' 'error unix - - n - -' \
    'retry unix - - n - - error' 'virtual unix - n n - -' 'tlsmgr unix - - n 1000? 1' 'anvil unix - - n - 1' \
    'proxymap unix - - n - -' 'showq unix n - n - -' 'postlog unix-dgram n - n - 1 postlogd'; do
    set -- $service
    echo "$1 $2 $3 $4 $5 $6 $7 ${8:-$1}"
  done
} >"$conf/master.cf"

# What looks through the queue at the start writes into it as the user postfix, when a killed server left odd files behind.
touch "$home/mail.log"
chmod 666 "$home/mail.log"

if ! postfix -c "$conf" status 2>/dev/null; then
  postfix -c "$conf" start >>"$state/start.log" 2>&1 || die "does not start: $(tail -n 3 "$state/start.log" "$home/mail.log")"
fi
listening "$plain"
remember "$(tr -d ' \n' <"$queue/pid/master.pid")"
tell SMTP_PORT="$plain" SMTP_SUBMISSION_PORT="$submission" SMTP_TLS_PORT="$smtps" SMTP_CA="$tls/ca.pem" \
  SMTP_USER=reports@test.local SMTP_PASSWORD=s3cret/+ SMTP_MAILDIR="$mail/inbox"
