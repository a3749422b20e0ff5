#!/usr/bin/env bash
# Stops the SFTP server; the files are kept.
peer=sftp
. "$(dirname "$0")/../lib.sh"
end "" KILL
