#!/usr/bin/env bash
# A fax server and the machines it calls: HylaFAX dials through software modems (iaxmodem) which are wired to each other
# by IAX2 on loopback, so that what is sent is modulated, negotiated and received as over a telephone line. Installs
# hylafax-server, hylafax-client, iaxmodem and postfix where they are missing (hylafax-server insists on a mail server;
# Debian takes one only, and the tests of mail have this one). Each line is a modem of the server with one far end:
#
#   good      answers and receives
#   cut       answers; no sound goes through while the test lets the file `cut` be there
#   silent    rings, and nobody lifts
#   engaged   is busy
#   lifted    somebody lifts, says "hello" and hangs up
#
# There is also a server without any modem, `desk`, where jobs stay as they were given.
peer=fax
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "iaxmodem and HylaFAX start as root only: run this as root"
need /usr/bin/python3 python3
need /usr/sbin/hfaxd postfix hylafax-server hylafax-client
need /usr/bin/iaxmodem iaxmodem
need /usr/bin/openssl openssl
scripts=$(cd "$(dirname "$0")" && pwd)
. "$scripts/spool.sh"

# HylaFAX works as a user of its own, who cannot pass through closed folders such as /root.
home=$state/home
mkdir -p "$home"
if ! setpriv --reuid="$user" --clear-groups test -x "$home" 2>/dev/null; then
  home=/var/tmp/postbook-fax-$(echo "$state" | cksum | cut -d' ' -f1)
  mkdir -p "$home"
  say "$state is closed to the user $user: the spools are in $home"
fi
# A modem that waits for its turn on the processor drops out of the call.
urgent=(nice -n -15)
"${urgent[@]}" true 2>/dev/null || urgent=()

run() { # NAME COMMAND...
  local name=$1; shift
  running "$name" && return
  setsid "$@" >>"$state/$name.log" 2>&1 </dev/null &
  remember $! "$name"
}

modem() { # SPOOL DEVICE NUMBER [SETTINGS]
  {
    grep -v '^#' /var/spool/hylafax/config/iaxmodem
    printf '%s\nFAXNumber: %s\nLocalIdentifier: %s\n' "$common" "$3" "$2"
    printf '%s\n' 'SessionTracing: 0x4F' 'ServerTracing: 0x4F' 'RecvFileMode: 0644' 'LogFileMode: 0644' \
      'DeviceMode: 0660' 'RingsBeforeAnswer: 1' 'SpeakerVolume: off' 'TagLineFont: etc/lutRS18.pcf' \
      'MaxRecvPages: 200' "UUCPLockDir: $1/lock" "${4:-}"
    # A second try by the server itself comes within seconds.
    printf 'JobReq%s: 5\n' Busy DataConn Error NoAnswer NoCarrier NoFCon Other Proto
  } >"$1/etc/config.$2"
  chown "$user": "$1/etc/config.$2"
}

line_end() { # NAME PORT PORT-OF-THE-OTHER NUMBER
  printf '%s\n' "device /dev/ttyIAX$2" "owner $user:$user" 'mode 660' "port $2" 'refresh 0' "server 127.0.0.1:$3" \
    "peername ttyIAX$2" 'secret none' "cidname $1" "cidnumber $4" 'codec slinear' >"$home/$1.iax"
  # It looks for its settings below /etc/iaxmodem.
  run "$1" "${urgent[@]}" /usr/bin/iaxmodem "../..$home/$1.iax"
}

present() { # PORT
  for _ in $(seq 100); do [ ! -e "/dev/ttyIAX$1" ] || return 0; sleep 0.05; done
  die "no modem on /dev/ttyIAX$1, see the logs in $state"
}

server=$home/server machines=$home/machines
fax=$(port hfaxd)
for folder in "$server" "$machines" "$home/desk"; do spool "$folder"; done
rm -f "$home/cut"
# What an earlier run left: jobs that nobody waits for, and words of modems that are not there yet.
running desk.faxq || rm -f "$home"/desk/sendq/q* "$home"/desk/docq/doc*
running faxq || rm -f "$server"/sendq/q* "$server"/status/*
for line in good cut silent engaged lifted; do
  near=$(port "$line.near") far=$(port "$line.far") towards=$far
  case $line in
    good) number=13125550002 ;;
    cut)
      number=13125550003 towards=$(port cut.relay)
      run relay python3 "$scripts/relay.py" "$towards" "$far" "$home/cut"
      ;;
  esac
  modem "$server" "ttyIAX$near" 13125550001
  line_end "$line.near" "$near" "$towards" 13125550001
  case $line in
    engaged | silent | lifted) run "$line.far" python3 "$scripts/telephone.py" "$far" "$line" ;;
    *) line_end "$line.far" "$far" "$near" "$number" ;;
  esac
  case $line in
    # A modem refuses calls for five seconds after it was reset: the far end has to be done sooner than the near one.
    good | cut)
      modem "$machines" "ttyIAX$far" "$number" $'ModemResetDelay: 100\nModemSoftResetCmdDelay: 100'
      present "$far"
      run "getty.$line.far" /usr/sbin/faxgetty -q "$machines" "ttyIAX$far"
      ;;
  esac
done
run faxq /usr/sbin/faxq -D -q "$server"
run desk.faxq /usr/sbin/faxq -D -q "$home/desk"
run desk.hfaxd /usr/sbin/hfaxd -d -q "$home/desk" -l 127.0.0.1 -i "$(port desk)"
run hfaxd /usr/sbin/hfaxd -d -q "$server" -l 127.0.0.1 -i "$fax"
for line in good cut silent engaged lifted; do
  present "$(port "$line.near")"
  run "getty.$line.near" /usr/sbin/faxgetty -q "$server" "ttyIAX$(port "$line.near")"
done
listening "$fax"
listening "$(port desk)"
# The server knows a modem when it says what it does.
for _ in $(seq 300); do
  [ "$(grep -l 'Running and idle' "$server"/status/ttyIAX* 2>/dev/null | wc -l)" = 5 ] && break
  sleep 0.1
done
tell FAX_HOST=127.0.0.1 FAX_PORT="$fax" FAX_USER=reports FAX_PASSWORD='s3cret/+' FAX_SPOOL="$server" \
  FAX_RECEIVED="$machines/recvq" FAX_CUT="$home/cut" FAX_DESK="$home/desk" FAX_DESK_PORT="$(port desk)" \
  FAX_GOOD="ttyIAX$(port good.near)" FAX_CUTTABLE="ttyIAX$(port cut.near)" \
  FAX_SILENT="ttyIAX$(port silent.near)" FAX_ENGAGED="ttyIAX$(port engaged.near)" FAX_LIFTED="ttyIAX$(port lifted.near)"
