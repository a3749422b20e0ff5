#!/usr/bin/env bash
# Stops Dovecot; the mail server goes on.
peer=imap
. "$(dirname "$0")/../lib.sh"
end
