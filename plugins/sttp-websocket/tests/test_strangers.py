"""Other ends that are not ours: those of the library `websockets`, and those that break the rules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from sttp.transport import ByteStream, Listener, TransportError, open_transport

WS = "ws://127.0.0.1:0/sttp"


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, str]]:
    listener = await open_transport(WS).listen("127.0.0.1:0/sttp")
    try:
        yield listener, f"ws://{listener.address}"
    finally:
        await listener.close()


@asynccontextmanager
async def met() -> AsyncIterator[tuple[ByteStream, ClientConnection]]:
    """Our listening end, and a client of the library."""
    async with listening() as (listener, url), connect(url, compression=None, proxy=None) as client:
        stream = await listener.accept()
        try:
            yield stream, client
        finally:
            stream.abort()
            await stream.close()


async def read(stream: ByteStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        buffer = bytearray(count - len(data))
        got = await stream.receive_into(buffer)
        if not got:
            break
        data += buffer[:got]
    return data


async def test_a_client_of_the_library_is_understood_and_understands() -> None:
    async with met() as (stream, client):
        await client.send([b"in ", b"frag", b"ments"])
        assert await read(stream, 12) == b"in fragments"
        await stream.send([b"back"])
        assert await client.recv() == b"back"
        receiving = asyncio.create_task(stream.receive_into(bytearray(1)))
        await (await client.ping())
        closing = asyncio.create_task(client.close())
        assert await receiving == 0
        with pytest.raises(TransportError, match="no longer reads"):
            await stream.send([b"x"])
        await stream.close()
        await closing


async def test_a_ping_is_answered_while_we_send_and_nobody_reads() -> None:
    async with met() as (stream, client):
        sending = asyncio.create_task(stream.send([bytes(30_000_000)]))
        reading = asyncio.create_task(stream.receive_into(bytearray(1)))
        answered = await client.ping()
        received = 0
        while received < 30_000_000:
            received += len(await client.recv())
        await sending
        await answered
        reading.cancel()


async def test_a_server_of_the_library_is_understood() -> None:
    async def echo(server: ServerConnection) -> None:
        async for message in server:
            await server.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        host, port = server.sockets[0].getsockname()
        stream = await open_transport(WS).dial(f"{host}:{port}/anything")
        await stream.send([b"there and back"])
        assert await read(stream, 14) == b"there and back"
        assert stream.peer == f"{host}:{port}/anything"
        await stream.close()


async def test_another_path_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (listener, url):
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{url}/else", proxy=None)
        with pytest.raises(TransportError, match=r"cannot connect to .*: there is no WebSocket of that path \(404\)"):
            await open_transport(WS).dial(f"{listener.address}/else")
    assert "it asks for /sttp/else, and here is /sttp" in caplog.text


@pytest.mark.parametrize(
    ("say", "complaint"),
    [
        (lambda client: client.send("text"), "sends text"),
        (lambda client: client.close(1011, "tired"), r"has closed the WebSocket: 1011 .*tired"),
        (lambda client: client.send(bytes(2**20 + 1)), "over size limit|does not speak|exceeds"),
        (lambda client: asyncio.sleep(0, client.transport.abort()), "without closing the WebSocket|lost"),
    ],
    ids=["text", "an error", "too long a message", "no goodbye"],
)
async def test_what_breaks_the_rules_breaks_the_stream(say, complaint: str) -> None:  # type: ignore[no-untyped-def]
    async with met() as (stream, client):
        saying = asyncio.create_task(say(client))
        with pytest.raises(TransportError, match=complaint):
            await read(stream, 3_000_000)
        await stream.close()
        await saying


@pytest.mark.parametrize("said", [b"\x00\x00\x00\x05hello", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 100_000, b""])
async def test_who_does_not_speak_websocket_is_turned_away(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (listener, _):
        place = listener.address.partition("/")[0]
        raw = await open_transport("tcp://127.0.0.1:0").dial(place)
        await raw.send([said])
        await raw.send_eof()
        try:
            while await raw.receive_into(bytearray(65536)):
                pass
        except TransportError:
            pass
        await raw.close()
        stream = await open_transport(WS).dial(listener.address)  # others come in as before
        await stream.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_who_dials_something_else_is_told() -> None:
    listener = await open_transport("tcp://127.0.0.1:0").listen("127.0.0.1:0")
    dialing = asyncio.create_task(open_transport(WS).dial(f"{listener.address}/sttp"))
    accepted = await listener.accept()
    await accepted.send([b"220 mail.example ESMTP\r\n\r\n"])
    with pytest.raises(TransportError, match="cannot connect to .*: the other end does not speak WebSocket"):
        await dialing
    await asyncio.gather(accepted.close(), listener.close())


async def test_pings_whose_answers_nobody_reads_end_the_stream() -> None:
    async with met() as (stream, client):
        client.transport.pause_reading()
        blocked = asyncio.create_task(stream.send([bytes(30_000_000)]))
        receiving = asyncio.create_task(stream.receive_into(bytearray(1)))
        while not receiving.done():
            client.transport.write(50 * (b"\x89\xfd" + bytes(4) + bytes(125)))
            await asyncio.sleep(0)
        with pytest.raises(TransportError, match="pings"):
            await receiving
        blocked.cancel()
