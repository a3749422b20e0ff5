#!/usr/bin/env bash
# One Kannel in a folder of its own. Sourced by up.sh and down.sh; by itself, for tests that kill one:
#
#   gateway.sh up DIR CENTRE-PORT        starts it, and again with the same ports and messages after it was killed
#   gateway.sh down DIR [SIGNAL [NAME]]  stops it, or its program NAME alone; with KILL at once

# A process is known by its number and the time it began. One that has ended and waits to be noticed is none any more.
gateway_birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

gateway_port() { # DIR NAME
  [ -s "$1/port.$2" ] || python3 -c '
import socket
with socket.socket() as it:
    it.bind(("127.0.0.1", 0))
    print(it.getsockname()[1])' >"$1/port.$2"
  cat "$1/port.$2"
}

gateway_wait() { # PORT
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.05
  done
  echo "nothing answers on 127.0.0.1:$1" >&2
  return 1
}

gateway_start() { # DIR NAME PROGRAM
  local dir=$1 name=$2 pid began
  if [ -s "$dir/$name.pid" ] && read -r pid began <"$dir/$name.pid" && [ "$(gateway_birth "$pid")" = "$began" ]; then
    return
  fi
  setsid "$3" -v 4 "$dir/kannel.conf" >>"$dir/$name.out" 2>&1 </dev/null &
  echo "$! $(gateway_birth $!)" >"$dir/$name.pid"
}

gateway_up() { # DIR CENTRE-PORT
  local dir=$1 admin box sendsms
  mkdir -p "$dir/spool"
  admin=$(gateway_port "$dir" admin) box=$(gateway_port "$dir" box) sendsms=$(gateway_port "$dir" sendsms)
  cat >"$dir/kannel.conf" <<END
group = core
admin-port = $admin
admin-interface = 127.0.0.1
admin-password = admin
smsbox-port = $box
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
log-file = "$dir/bearerbox.log"
log-level = 1
dlr-storage = internal
store-type = spool
store-location = "$dir/spool"
sms-resend-freq = 1
sms-resend-retry = 5

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = $2
transceiver-mode = true
smsc-username = kannel
smsc-password = centre
system-type = ""
interface-version = 34
reconnect-delay = 1
wait-ack = 5
wait-ack-expire = 0x01
msg-id-type = 0x00

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = $sendsms
sendsms-interface = 127.0.0.1
global-sender = 5550001
log-file = "$dir/smsbox.log"
log-level = 1

group = sendsms-user
username = reports
password = s3cret
max-messages = 10
concatenation = true
END
  gateway_start "$dir" bearerbox /usr/sbin/bearerbox && gateway_wait "$box" &&
    gateway_start "$dir" smsbox /usr/sbin/smsbox && gateway_wait "$sendsms"
}

gateway_down() { # DIR [SIGNAL [NAME]]
  local dir=$1 name pid began
  for name in ${3:-smsbox bearerbox}; do
    [ -s "$dir/$name.pid" ] && read -r pid began <"$dir/$name.pid" || continue
    [ "$(gateway_birth "$pid")" != "$began" ] || kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do [ "$(gateway_birth "$pid")" = "$began" ] || break; sleep 0.05; done
    [ "$(gateway_birth "$pid")" != "$began" ] || kill -KILL "$pid" 2>/dev/null || true
    rm -f "$dir/$name.pid"
  done
}

case "${BASH_SOURCE[0]}:${1:-}" in
  "$0:up") gateway_up "$2" "$3" ;;
  "$0:down") gateway_down "$2" "${3:-TERM}" "${4:-}" ;;
esac
