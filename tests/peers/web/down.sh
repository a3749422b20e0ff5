#!/usr/bin/env bash
# Stops the web server; the files are kept.
peer=web
. "$(dirname "$0")/../lib.sh"
end
