"""STTP-CAC-003: the size in a plain signal index cache counts itself. `cache_size.py HOST PORT` dials a publisher."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
    stream = connection.makefile("rb")
    # version 2, UTF-8, nothing compressed
    connection.sendall(bytes.fromhex("00 00 00 05 06 00 00 02 02"))
    # Subscribe, compact: filterExpression={FILTER ActiveMeasurements WHERE True}
    subscribe = b"filterExpression={FILTER ActiveMeasurements WHERE True}"
    connection.sendall(bytes.fromhex("00 00 00 3d 02 02 00 00 00 37") + subscribe)
    frame = b""
    while not frame.startswith(b"\x83"):  # UpdateSignalIndexCache
        frame = stream.read(int.from_bytes(stream.read(4), "big"))

image = frame[7:]  # behind the code, the command, the length and the index of the cache
size = int.from_bytes(image[:4], "big")
print(f"{frame[:20].hex(' ')} …: an image of {len(image)} bytes says that it has {size}")
sys.exit(size != len(image))
