#!/usr/bin/env bash
# spool.sh FOLDER: a spool for HylaFAX, for the user `reports` with the tests' password. Also sourced, for its parts.

user=$(stat -c %U /var/spool/hylafax/docq)
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
  # Of two jobs that come at once one is turned away as long as there is no last number.
  for folder in sendq docq log recvq; do echo 1 >"$1/$folder/seqf"; done
  chown -R "$user": "$1"
  chmod 600 "$1/etc/hosts.hfaxd"
  chmod 1777 "$1/tmp"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  spool "$1"
fi
