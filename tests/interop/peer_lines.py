"""How the peer programs talk with the tests: in JSON lines, settings and commands on stdin, events on stdout.

They run under the Python of another environment, where `sttp` is the package of `sttpapi`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from threading import Lock

_write = Lock()


def serve(main):
    """Run `main` for each test that connects, in a process of its own, until our stdin ends.

    The processes are forked from this one, because starting Python, NumPy and the library again and again would take
    longer than the tests. The port to connect to is printed on stdout. The first line of a test has the arguments of
    `main`.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    os.dup2(connection.fileno(), sys.stdin.fileno())
                    os.dup2(connection.fileno(), sys.stdout.fileno())
                    connection.close()
                    main(**json.loads(sys.stdin.readline()))


def emit(event, **fields):
    """Tell the test. Callbacks come from many threads."""
    line = json.dumps({"event": event, **fields}) + "\n"
    with _write:
        sys.stdout.write(line)
        sys.stdout.flush()


def obey(**actions):
    """Carry out the commands, `{"do": name, **arguments}`, until there are no more; then end this process at once.

    The library has threads that nobody can join, such as one that dials for ever.
    """
    for line in sys.stdin:
        command = json.loads(line)
        actions[command.pop("do")](**command)
    os.closerange(3, 1024)  # who hears of our end may listen on our port
    os._exit(0)
