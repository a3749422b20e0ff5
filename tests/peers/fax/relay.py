"""relay.py PORT TO CUT: a telephone line: carries IAX2 between who calls PORT and TO, no sound while the file CUT is there.

That the other side hangs up is always heard, as the exchange says it where the wire is cut: without it a modem keeps its
line for minutes.
"""
import os
import select
import socket
import sys

port, to, cut = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
near.bind(("127.0.0.1", port))
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.bind(("127.0.0.1", 0))
caller = None
while True:
    for side in select.select([near, far], [], [])[0]:
        try:
            packet, sender = side.recvfrom(65536)
        except ConnectionRefusedError:
            continue
        if side is near:
            caller = sender
        # Sound is in mini frames, which begin with a zero bit (RFC 5456, 8.1.2).
        if packet[:1] < b"\x80" and os.path.exists(cut):
            continue
        if side is near:
            far.sendto(packet, ("127.0.0.1", to))
        elif caller:
            near.sendto(packet, caller)
