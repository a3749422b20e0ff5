#!/usr/bin/env bash
# A fax server and the machines it calls: HylaFAX dials through software modems (iaxmodem) which are wired to each other
# by IAX2 on loopback, so that what is sent is modulated, negotiated and received as over a telephone line. Installs
# hylafax-server, hylafax-client, iaxmodem and postfix where they are missing (hylafax-server insists on a mail server;
# Debian takes one only, and the tests of mail have this one). Each line is a modem of the server with one far end:
#
#   good      answers and receives
#   cut       answers; the test can cut the line by making the file `cut`
#   silent    rings, and nobody lifts
#   engaged   is busy
#
# There is also a spool without any modem, `desk`, for tests that start and kill a server of their own.
peer=fax
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "iaxmodem and HylaFAX start as root only: run this as root"
need /usr/bin/python3 python3
need /usr/sbin/hfaxd postfix hylafax-server hylafax-client
need /usr/bin/iaxmodem iaxmodem
user=$(stat -c %U /var/spool/hylafax/docq)

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

common='CountryCode: 1
AreaCode: 800
LongDistancePrefix: 1
InternationalPrefix: 011
DialStringRules: etc/dialrules'

spool() { # FOLDER
  [ -d "$1/etc" ] && return
  mkdir -p "$1"/{archive,client,config,dev,docq,doneq,etc,info,log,pollq,recvq,sendq,status,tmp,lock}
  cp -rL /var/spool/hylafax/bin "$1/bin"
  cp -rL /etc/hylafax/. "$1/etc"
  # What it would mail to people is thrown away.
  printf '#!/bin/sh\ncat >/dev/null\n' >"$1/bin/sendmail"
  chmod 755 "$1/bin/sendmail"
  sed -i -e "s#^SPOOL=.*#SPOOL='$1'#" -e "s#^SENDMAIL=.*#SENDMAIL='$1/bin/sendmail'#" "$1/etc/setup.cache"
  # Lines are HOST:UID:PASSWORD:ADMINISTRATOR, passwords as crypt(3) makes them.
  printf '%s\n' "^reports@:21:$(openssl passwd -1 's3cret/+'):" >"$1/etc/hosts.hfaxd"
  printf 'LogFacility: daemon\nServerTracing: 1\n' >"$1/etc/hfaxd.conf"
  printf '%s\nLogFacility: daemon\nServerTracing: 0x08501\nPostScriptTimeout: 60\nUUCPLockDir: %s/lock\n' \
    "$common" "$1" >"$1/etc/config"
  chown -R "$user": "$1"
  chmod 600 "$1/etc/hosts.hfaxd"
  chmod 1777 "$1/tmp"
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

here=$(cd "$(dirname "$0")" && pwd)
server=$home/server machines=$home/machines
fax=$(port hfaxd)
spool "$server"
spool "$machines"
spool "$home/desk"
rm -f "$home/cut"
for line in good cut silent engaged; do
  near=$(port "$line.near") far=$(port "$line.far") towards=$far
  case $line in
    good) number=13125550002 ;;
    cut)
      number=13125550003 towards=$(port cut.relay)
      run relay python3 "$here/relay.py" "$towards" "$far" "$home/cut"
      ;;
    silent) number=13125550004 ;;
    engaged) number=13125550005 ;;
  esac
  modem "$server" "ttyIAX$near" 13125550001
  line_end "$line.near" "$near" "$towards" 13125550001
  line_end "$line.far" "$far" "$near" "$number"
  for _ in $(seq 100); do [ -e "/dev/ttyIAX$near" ] && [ -e "/dev/ttyIAX$far" ] && break; sleep 0.05; done
  case $line in
    # A modem refuses calls for five seconds after it was reset: the far end has to be done sooner than the near one.
    good | cut)
      modem "$machines" "ttyIAX$far" "$number" $'ModemResetDelay: 100\nModemSoftResetCmdDelay: 100'
      run "getty.$line.far" /usr/sbin/faxgetty -q "$machines" "ttyIAX$far"
      ;;
    engaged) run receiver python3 "$here/lift.py" "/dev/ttyIAX$far" ;;
  esac
done
run faxq /usr/sbin/faxq -D -q "$server"
run hfaxd /usr/sbin/hfaxd -d -q "$server" -l 127.0.0.1 -i "$fax"
for line in good cut silent engaged; do
  run "getty.$line.near" /usr/sbin/faxgetty -q "$server" "ttyIAX$(port "$line.near")"
done
listening "$fax"
# The server knows a modem when it says what it does.
for _ in $(seq 300); do
  [ "$(grep -l 'Running and idle' "$server"/status/ttyIAX* 2>/dev/null | wc -l)" = 4 ] && break
  sleep 0.1
done
tell FAX_HOST=127.0.0.1 FAX_PORT="$fax" FAX_USER=reports FAX_PASSWORD='s3cret/+' FAX_SPOOL="$server" \
  FAX_RECEIVED="$machines/recvq" FAX_CUT="$home/cut" FAX_DESK="$home/desk" \
  FAX_GOOD="ttyIAX$(port good.near)" FAX_CUTTABLE="ttyIAX$(port cut.near)" \
  FAX_SILENT="ttyIAX$(port silent.near)" FAX_ENGAGED="ttyIAX$(port engaged.near)"
