#!/usr/bin/env bash
# A mail server that misbehaves as the mailbox asks it to: see sink.py. Installs python3 where it is missing.
peer=smtp_sink
. "$(dirname "$0")/../lib.sh"

need /usr/bin/python3 python3
port=$(port plain)
if ! running; then
  setsid python3 "$here/smtp_sink/sink.py" "$port" "$state/mail" >>"$state/sink.log" 2>&1 </dev/null &
  remember $!
fi
listening "$port"
tell SINK_PORT="$port" SINK_DIR="$state/mail"
