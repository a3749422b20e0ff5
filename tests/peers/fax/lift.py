"""lift.py TTY: lifts the receiver of a modem and leaves it off the hook."""
import os
import select
import sys
import termios
import time
import tty

line = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
tty.setraw(line)
while True:
    termios.tcflush(line, termios.TCIFLUSH)
    os.write(line, b"ATH1\r")
    while select.select([line], [], [], 2)[0]:
        os.read(line, 1024)
    time.sleep(60)
