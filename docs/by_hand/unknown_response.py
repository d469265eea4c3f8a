"""STTP-MAL-003: a response with an unknown code is ignored. `unknown_response.py PORT` waits for a subscriber."""

import socket
import sys

with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print(f"listening on port {listener.getsockname()[1]}", file=sys.stderr, flush=True)
    connection, _ = listener.accept()

with connection:
    connection.settimeout(10)
    heard = connection.recv(65536)  # DefineOperationalModes, and perhaps more
    # Succeeded for it, without a text; then a response 0x9e, that there is not: "what is this?"
    connection.sendall(bytes.fromhex("00 00 00 06 80 06 00 00 00 00"))
    connection.sendall(bytes.fromhex("00 00 00 13 9e 02 00 00 00 0d 77 68 61 74 20 69 73 20 74 68 69 73 3f"))
    connection.settimeout(3)
    try:
        while said := connection.recv(65536):
            heard += said
        closed = True
    except ConnectionError:
        closed = True
    except TimeoutError:
        closed = False

print(f"{heard[:9].hex(' ')} …: after 9e the subscriber {'closed the connection' if closed else 'stayed'}")
sys.exit(closed)
