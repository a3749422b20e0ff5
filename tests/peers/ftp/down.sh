#!/usr/bin/env bash
# Stops the FTP servers; the files are kept.
peer=ftp
. "$(dirname "$0")/../lib.sh"
end "" KILL
