#!/usr/bin/env bash
# Stops Kannel and the message centre.
peer=kannel
. "$(dirname "$0")/../lib.sh"
. "$here/kannel/gateway.sh"
gateway_down "$state/gateway" TERM
end
