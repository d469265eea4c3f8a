"""What it costs to hand bytes to sockets on the loopback, and nothing else: the floor for a publisher that fans out.

python tests/benchmarks/bare_sends.py [--sockets N] [--megabytes N] [--piece BYTES]
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time

DRAIN = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def drain(connection):
    buffer = bytearray(2**18)
    while connection.recv_into(buffer):
        pass

for _ in range(int(sys.argv[1])):
    threading.Thread(target=drain, args=(listener.accept()[0],)).start()
"""


def cpu_per_byte(sockets: int, size: int, piece: int) -> float:
    """Seconds of processor time per byte handed to one of `sockets`, of which each takes `size` bytes in pieces."""
    with subprocess.Popen([sys.executable, "-c", DRAIN, str(sockets)], stdout=subprocess.PIPE) as drain:
        assert drain.stdout is not None
        port = int(drain.stdout.readline())
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(sockets)]
        block, times = bytes(piece), -(-size // piece)
        begin = time.process_time()
        for _ in range(times):
            for connection in connections:
                connection.sendall(block)
        spent = time.process_time() - begin
        for connection in connections:
            connection.close()
    return spent / (times * piece * sockets)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=10)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--piece", type=int, default=2**16)
    options = parser.parse_args()
    spent = cpu_per_byte(options.sockets, options.megabytes * 10**6, options.piece)
    print(f"{1e9 * spent:.3f} ns of processor time per byte, in pieces of {options.piece} bytes")


if __name__ == "__main__":
    main()
