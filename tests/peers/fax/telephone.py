"""telephone.py PORT engaged|silent: a telephone, called by IAX2 (RFC 5456): who calls hears that it is busy, or that it rings."""
import socket
import struct
import sys

CONTROL, IAX = 4, 6
RINGING, BUSY = 3, 5
NEW, PING, PONG, ACK, HANGUP, ACCEPT, INVAL = 1, 2, 3, 4, 5, 7, 10
FORMAT = struct.pack("!BBI", 9, 4, 1 << 6)  # signed linear

tone = BUSY if sys.argv[2] == "engaged" else RINGING
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.bind(("127.0.0.1", int(sys.argv[1])))


class Call:
    def __init__(self, caller, number):
        self.caller, self.number, self.sent = caller, number, 0

    def say(self, kind, word, heard, body=b"", counts=True):
        frame = struct.pack("!HHIBBBB", 0x8000 | 1, self.number, self.sent * 10 + 3, self.sent & 255, heard, kind, word)
        line.sendto(frame + body, self.caller)
        self.sent += counts


calls = {}
while True:
    packet, caller = line.recvfrom(65536)
    if len(packet) < 12 or not packet[0] & 0x80:
        continue
    source, _, _, number, _, kind, word = struct.unpack("!HHIBBBB", packet[:12])
    source, heard = source & 0x7FFF, number + 1 & 255
    if (kind, word) in ((IAX, ACK), (IAX, INVAL)):
        continue
    if (kind, word) == (IAX, NEW):
        calls[caller] = Call(caller, source)
        calls[caller].say(IAX, ACCEPT, heard, FORMAT)
        calls[caller].say(CONTROL, tone, heard)
        continue
    if caller in calls:
        calls[caller].say(IAX, ACK, heard, counts=False)
        if (kind, word) == (IAX, HANGUP):
            del calls[caller]
        elif (kind, word) == (IAX, PING):
            calls[caller].say(IAX, PONG, heard)
