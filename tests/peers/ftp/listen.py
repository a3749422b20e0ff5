"""listen.py PORT=CONF...: runs a vsftpd for each connection. By itself it listens too, and is gone when a connection
ends faster than it can note whose it was."""
import os, selectors, socket, sys

doors = selectors.DefaultSelector()
for word in sys.argv[1:]:
    port, conf = word.split("=", 1)
    door = socket.create_server(("127.0.0.1", int(port)), backlog=100)
    doors.register(door, selectors.EVENT_READ, conf)
while True:
    for ready, _ in doors.select(timeout=1):
        visit, _ = ready.fileobj.accept()
        if os.fork() == 0:
            for number in range(3):
                os.dup2(visit.fileno(), number)
            os.execv("/usr/sbin/vsftpd", ["vsftpd", ready.data])
        visit.close()
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
