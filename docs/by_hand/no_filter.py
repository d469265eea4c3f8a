"""STTP-SUB-025: a Subscribe without a filter selects nothing. `no_filter.py HOST PORT` dials a publisher."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
    stream = connection.makefile("rb")
    # version 2, UTF-8, nothing compressed
    connection.sendall(bytes.fromhex("00 00 00 05 06 00 00 02 02"))
    # Subscribe, compact
    connection.sendall(bytes.fromhex("00 00 00 17 02 02 00 00 00 11") + b"includeTime=true;")
    frame = b""
    while frame[:1] != b"\x83" and frame[:2] != b"\x81\x02":  # a signal index cache, or Failed for Subscribe
        frame = stream.read(int.from_bytes(stream.read(4), "big"))

count = int.from_bytes(frame[27:31], "big") if frame[:1] == b"\x83" else 0  # behind index, size and subscriber ID
print(f"{frame[:31].hex(' ')} …: {count} signals came, and none was asked for")
sys.exit(count != 0)
