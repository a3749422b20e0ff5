#!/usr/bin/env bash
# The programs people open archives with. Nothing is started; unzip, 7-Zip and Python are installed where they are
# missing.
peer=archivers
. "$(dirname "$0")/../lib.sh"

need /usr/bin/unzip unzip
need /usr/bin/7z p7zip-full
need /usr/bin/python3 python3
tell UNZIP=/usr/bin/unzip SEVEN_ZIP=/usr/bin/7z PYTHON=/usr/bin/python3
