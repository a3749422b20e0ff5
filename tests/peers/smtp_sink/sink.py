"""A mail server that misbehaves as the mailbox asks it to.

    code-550...        that answer to RCPT; `code-550-5.1.1...` with an enhanced code
    data-554...        the same, after the message
    flaky-2...         451 4.7.1 for the first two tries at that mailbox, then taken, as greylisting does
    often-3...         451 4.3.0 at every third try at that mailbox
    hang...            no answer to RCPT
    mute...            the message is read and kept, but never answered
    slow-0.5...        taken, but the answer to the message comes after that many seconds
    cut...             the message is read and kept, then the connection is reset: did it arrive?
    leave...           taken, then the connection is closed without a word
    midway...          the connection is reset while the message is on its way

Anything else is taken. A message that was read becomes DIR/NUMBER.eml with a line in DIR/log.jsonl, both on disk before
it is answered. SMTPUTF8, TLS and AUTH are not offered.

usage: sink.py PORT DIR
"""

import asyncio
import itertools
import json
import pathlib
import re
import socket
import struct
import sys

folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
numbers = itertools.count(1 + max((int(it.stem) for it in folder.glob("*.eml")), default=0))
sessions = itertools.count(1)
tries = {}


def asked(mailbox, word):
    """The answer that a mailbox such as `code-550-5.1.1...` asks for, if it begins with `word`."""
    found = re.match(word + r"-(\d{3})(?:-(\d\.\d+\.\d+))?", mailbox)
    return found and " ".join(filter(None, [found[1], found[2], "as asked"]))


def answer_to_rcpt(mailbox):
    if code := asked(mailbox, "code"):
        return code
    if flaky := re.match(r"flaky-(\d+)", mailbox):
        tries[mailbox] = tries.get(mailbox, 0) + 1
        if tries[mailbox] <= int(flaky[1]):
            return "451 4.7.1 Greylisted, try again later"
    if often := re.match(r"often-(\d+)", mailbox):
        tries[mailbox] = tries.get(mailbox, 0) + 1
        if tries[mailbox] % int(often[1]) == 0:
            return "451 4.3.0 Try again later"
    return "250 2.1.5 Ok"


def slowness(mailbox):
    slow = re.match(r"slow-(\d+(?:\.\d+)?)", mailbox)
    return float(slow[1]) if slow else 0


def keep(session, sender, mailboxes, message):
    number = next(numbers)
    (folder / f"{number}.eml").write_bytes(message)
    with open(folder / "log.jsonl", "a") as log:
        entry = {"number": number, "session": session, "from": sender, "to": mailboxes, "size": len(message)}
        log.write(json.dumps(entry) + "\n")
    return number


async def read_message(reader):
    lines = []
    while (line := await reader.readline()) != b".\r\n":
        if not line:
            raise ConnectionResetError
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


def reset(writer):
    """Ends the connection without taking leave, as a crash or a lost line does."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def serve(reader, writer):
    session, sender, mailboxes = next(sessions), None, []

    def say(text):
        writer.write(text.encode() + b"\r\n")

    def wants(word):
        return any(it.startswith(word) for it in mailboxes)

    say("220 sink.test.local ESMTP")
    while line := await reader.readline():
        command = line.decode("utf-8", "replace").strip()
        verb = command.split(" ")[0].upper()
        path = re.search(r"<(.*?)>", command)
        if verb == "EHLO":
            say("250-sink.test.local\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
        elif verb == "MAIL":
            sender, mailboxes = path[1], []
            say("250 2.1.0 Ok")
        elif verb == "RCPT":
            if path[1].startswith("hang"):
                await reader.read()
                break
            answer = answer_to_rcpt(path[1])
            if answer.startswith("250"):
                mailboxes.append(path[1])
            say(answer)
        elif verb == "DATA" and not mailboxes:
            say("554 5.5.1 No valid recipients")
        elif verb == "DATA":
            say("354 Go on")
            if wants("midway"):
                await reader.readline()
                return reset(writer)
            message = await read_message(reader)
            refusal = next(filter(None, (asked(it, "data") for it in mailboxes)), None)
            if refusal:
                say(refusal)
                continue
            number = keep(session, sender, mailboxes, message)
            if wants("cut"):
                return reset(writer)
            if wants("mute"):
                await reader.read()
                break
            await asyncio.sleep(max(map(slowness, mailboxes)))
            say(f"250 2.0.0 Ok: kept as {number}")
            if wants("leave"):
                break
        elif verb in ("RSET", "NOOP"):
            say("250 2.0.0 Ok")
        elif verb == "QUIT":
            say("221 2.0.0 Bye")
            break
        else:
            say("502 5.5.2 Not known here")
    writer.close()


async def main():
    async def safely(reader, writer):
        try:
            await serve(reader, writer)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(safely, "127.0.0.1", int(sys.argv[1]), limit=1 << 20)
    await server.serve_forever()


asyncio.run(main())
