"""One end of STTP that has the features which sttp-kit's own publisher and subscriber leave out.

    python main.py publisher listen HOST PORT METADATA
    python main.py subscriber dial HOST PORT

It is judged by the conformance suite like any other, and takes its requests as `ADAPTER.md` says.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from publishing import Publisher
from subscribing import Subscriber

from sttp import Metadata


async def main(role: str, verb: str, host: str, port: str, *metadata: str) -> None:
    """Be one end until stdin ends."""
    loop = asyncio.get_running_loop()
    if role == "publisher":
        end = Publisher(Metadata.from_file(Path(*metadata)))
    else:
        end = Subscriber(over_udp=os.environ.get("FEATURES_UDP") == "true")
    if verb == "listen":
        server = await asyncio.start_server(end.meet, host, int(port))
        print(f"listening on port {server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
        meeting = asyncio.create_task(server.serve_forever())
    else:
        meeting = asyncio.create_task(_dial(end, host, int(port)))
    lines = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        print(json.dumps(await _answer(end, json.loads(line))), flush=True)
    meeting.cancel()


async def _dial(end: Publisher | Subscriber, host: str, port: int) -> None:
    while True:
        with suppress(OSError):
            await end.meet(*await asyncio.open_connection(host, port))
        await asyncio.sleep(float(os.environ.get("FEATURES_REDIAL") or 0.05))


async def _answer(end: Publisher | Subscriber, request: dict) -> dict:
    number, name = request.pop("id"), request.pop("do")
    if name not in end.requests:
        return {"id": number, "unsupported": True}
    try:
        return {"id": number, "ok": True, **(await end.requests[name](**request) or {})}
    except Exception as error:  # noqa: BLE001 - whatever it is, the suite shall know
        return {"id": number, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
