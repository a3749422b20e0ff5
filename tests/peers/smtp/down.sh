#!/usr/bin/env bash
# Kills the private Postfix with all that works for it; its mail and its ports are kept.
peer=smtp
. "$(dirname "$0")/../lib.sh"

# group PID: whoever is left of its group.
group() { cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | awk -v group="$1" '$1 != "Z" && $3 == group'; }

if running; then
  read -r pid _ <"$state/pid"
  kill -KILL -- "-$pid"
  # Whoever is left holds the ports and the lock.
  for _ in $(seq 200); do [ -n "$(group "$pid")" ] || break; sleep 0.05; done
fi
rm -f "$state/pid"
