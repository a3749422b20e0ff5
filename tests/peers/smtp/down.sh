#!/usr/bin/env bash
# Stops the private Postfix; its mail and its ports are kept.
peer=smtp
. "$(dirname "$0")/../lib.sh"
end
