#!/usr/bin/env bash
# Another reader of TIFF files, which knows the code of fax pages. Nothing is started.
peer=libtiff
. "$(dirname "$0")/../lib.sh"

need /usr/bin/tiffcp libtiff-tools
tell TIFFCP=/usr/bin/tiffcp TIFFINFO=/usr/bin/tiffinfo
