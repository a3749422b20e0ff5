"""telephone.py PORT engaged|silent|lifted: a telephone, called by IAX2 (RFC 5456). Who calls hears that it is busy, that it
rings, or somebody who lifts, says "hello" a few times and hangs up."""
import math
import socket
import struct
import sys
import time

VOICE, CONTROL, IAX = 2, 4, 6
RINGING, ANSWER, BUSY = 3, 4, 5
NEW, PING, PONG, ACK, HANGUP, ACCEPT, INVAL = 1, 2, 3, 4, 5, 7, 10

SLINEAR = 1 << 6
FORMAT = struct.pack("!BBI", 9, 4, SLINEAR)
FRAME, RATE = 0.02, 8000
# Words, pauses between them, and how long somebody says them before they hang up, in seconds.
WORD, PAUSE, PATIENCE = 0.6, 1.4, 10

answers = {"engaged": (BUSY,), "silent": (RINGING,), "lifted": (RINGING, ANSWER)}[sys.argv[2]]
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.bind(("127.0.0.1", int(sys.argv[1])))
line.settimeout(FRAME / 2 if ANSWER in answers else None)


def voice(begin):
    """A piece of a voice: 140 Hz with its harmonics, as in a vowel, in words with pauses."""
    if begin % (WORD + PAUSE) > WORD:
        return bytes(int(FRAME * RATE) * 2)
    sound = lambda at: sum(math.sin(2 * math.pi * 140 * n * at) / n for n in range(1, 12))
    samples = [int(4000 * sound(begin + n / RATE)) for n in range(int(FRAME * RATE))]
    return struct.pack(f"!{len(samples)}h", *samples)


class Call:
    def __init__(self, caller, number):
        self.caller, self.number, self.sent, self.heard = caller, number, 0, 0
        self.begun, self.last, self.spoken = time.monotonic(), 0, 0

    def say(self, kind, word, body=b"", counts=True):
        head = (0x8000 | 1, self.number, self.stamp(), self.sent & 255, self.heard, kind, word)
        line.sendto(struct.pack("!HHIBBBB", *head) + body, self.caller)
        self.sent += counts

    def stamp(self):
        """Milliseconds since the call began, each time more."""
        self.last = max(self.last + 3, int((time.monotonic() - self.begun) * 1000))
        return self.last

    def speak(self):
        """Says what it is time for, the first piece in a full frame. False once everything is said."""
        while self.spoken * FRAME < time.monotonic() - self.begun:
            sound = voice(self.spoken * FRAME)
            if self.spoken == 0:
                self.say(VOICE, SLINEAR, sound)
            else:
                line.sendto(struct.pack("!HH", 1, self.stamp() & 0xFFFF) + sound, self.caller)
            self.spoken += 1
        return self.spoken * FRAME < PATIENCE


calls = {}
while True:
    for caller, call in list(calls.items()) if ANSWER in answers else ():
        if not call.speak():
            call.say(IAX, HANGUP)
            del calls[caller]
    try:
        packet, caller = line.recvfrom(65536)
    except TimeoutError:
        continue
    if len(packet) < 12 or not packet[0] & 0x80:
        continue
    source, _, _, number, _, kind, word = struct.unpack("!HHIBBBB", packet[:12])
    if (kind, word) in ((IAX, ACK), (IAX, INVAL)):
        continue
    if (kind, word) == (IAX, NEW):
        calls[caller] = Call(caller, source & 0x7FFF)
    if caller not in calls:
        continue
    call = calls[caller]
    call.heard = number + 1 & 255
    if (kind, word) == (IAX, NEW):
        call.say(IAX, ACCEPT, FORMAT)
        for answer in answers:
            call.say(CONTROL, answer)
        continue
    call.say(IAX, ACK, counts=False)
    if (kind, word) == (IAX, HANGUP):
        del calls[caller]
    elif (kind, word) == (IAX, PING):
        call.say(IAX, PONG)
