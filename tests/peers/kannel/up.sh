#!/usr/bin/env bash
# Kannel, an SMS gateway, with a message centre behind it: see centre.js for what each number does. Installs kannel and
# nodejs with npm where they are missing. Tests also start gateways of their own, which they may kill, by gateway.sh.
peer=kannel
. "$(dirname "$0")/../lib.sh"

need /usr/sbin/bearerbox kannel
command -v node >/dev/null && command -v npm >/dev/null || need /usr/bin/npm nodejs npm
centre=$(port centre)
if [ ! -d "$state/node_modules/smpp" ]; then
  npm install --prefix "$state" --no-audit --no-fund --ignore-scripts smpp@0.5.1 >>"$state/npm.log" 2>&1 ||
    die "npm could not install smpp, see $state/npm.log"
fi
if ! running; then
  setsid node "$here/kannel/centre.js" "$centre" "$state" >>"$state/centre.log" 2>&1 </dev/null &
  remember $!
fi
listening "$centre"
. "$here/kannel/gateway.sh"
gateway_up "$state/gateway" "$centre"
tell KANNEL_PORT="$(cat "$state/gateway/port.sendsms")" KANNEL_USER=reports KANNEL_PASSWORD=s3cret \
  KANNEL_CENTRE_PORT="$centre" KANNEL_LOG="$state/log.jsonl"
