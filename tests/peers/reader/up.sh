#!/usr/bin/env bash
# Somebody who reads: tells the letters of a picture. Nothing is started.
peer=reader
. "$(dirname "$0")/../lib.sh"

need /usr/bin/tesseract tesseract-ocr
tell TESSERACT=/usr/bin/tesseract
