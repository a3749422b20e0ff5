#!/usr/bin/env bash
# Hangs up: stops the fax server, the machines and the modems. What they sent and received is kept.
peer=fax
. "$(dirname "$0")/../lib.sh"
for line in good cut silent engaged; do
  for side in near far; do end "getty.$line.$side"; done
done
for name in hfaxd faxq desk.hfaxd desk.faxq; do end "$name"; done
for line in good cut silent engaged; do
  for side in near far; do
    end "$line.$side" KILL
    rm -f "/dev/ttyIAX$(port "$line.$side")"
  done
done
end relay
