#!/usr/bin/env bash
# Stops the sink; what it took is kept.
peer=smtp_sink
. "$(dirname "$0")/../lib.sh"
end
