"""Through a real HTTP proxy that allows CONNECT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from sttp.testing.transport import CHECKS, Subject, run_check
from sttp.transport import EndpointError, TransportError, open_transport
from sttp_websocket.proxy import PROXY, Proxy, proxy_for

WS = "ws://127.0.0.1:0/sttp"


class HttpProxy:
    """Does what a proxy does with CONNECT, and nothing else."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        writer.write(self.answer)
        if b" 200 " not in self.answer:
            writer.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pipe(reader, back), pipe(there, writer))
        writer.close()
        back.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def proxy(
    monkeypatch: pytest.MonkeyPatch, answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: me\r\n\r\n"
) -> AsyncIterator[HttpProxy]:
    ours = HttpProxy(answer)
    server = await asyncio.start_server(ours.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    monkeypatch.setenv(PROXY, f"http://me:secret%21@{host}:{port}")
    async with server:
        yield ours


async def test_a_stream_goes_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(monkeypatch) as ours:
        transport = open_transport(WS)
        listener = await transport.listen("127.0.0.1:0/sttp")
        dialed, accepted = await asyncio.gather(transport.dial(listener.address), listener.accept())
        await dialed.send([b"through"])
        buffer = bytearray(100)
        assert await accepted.receive_into(buffer) == 7
        await asyncio.gather(dialed.close(), accepted.close())
        await listener.close()
        assert dialed.peer == listener.address
    (head,) = ours.asked
    assert head.startswith(b"CONNECT " + listener.address.removesuffix("/sttp").encode() + b" HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0IQ==\r\n" in head


@pytest.mark.parametrize("name", ["stream_forward", "stream_reverse"])
async def test_a_recording_goes_through_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check = next(each for each in CHECKS if each.name == name)
    async with proxy(monkeypatch) as ours:
        await asyncio.to_thread(run_check, check, Subject(WS))
    assert len(ours.asked) == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answers 407 Proxy Authentication Required"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answers 403 Forbidden"),
        (b"", "does not answer as one"),
        (b"SSH-2.0-x\r\n\r\n", "answers 'SSH-2.0-x'"),
        (b"x" * 20_000, "does not answer as one"),
    ],
)
async def test_a_proxy_that_does_not_help(monkeypatch: pytest.MonkeyPatch, answer: bytes, complaint: str) -> None:
    async with proxy(monkeypatch, answer):
        with pytest.raises(TransportError, match=rf"cannot connect to hub\.example:80: the proxy .* {complaint}"):
            await open_transport(WS).dial("hub.example:80/sttp")


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(monkeypatch):
        pass
    with pytest.raises(TransportError, match=r"connection refused \(that is the proxy\)"):
        await open_transport(WS).dial("hub.example:80/sttp")


def test_which_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PROXY, "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("hub.example:80") is None
    monkeypatch.setenv("http_proxy", "http://one:1")
    assert proxy_for("hub.example:80") == Proxy("one:1")
    monkeypatch.setenv("https_proxy", "two:2")
    assert proxy_for("hub.example:80") == Proxy("two:2")
    for here in ("localhost:80", "127.0.0.1:80", "[::1]:80"):
        assert proxy_for(here) is None
    monkeypatch.setenv("no_proxy", ".example")
    assert proxy_for("hub.example:80") is None
    monkeypatch.setenv(PROXY, "http://[::1]:3")
    assert proxy_for("127.0.0.1:80") == Proxy("[::1]:3")
    monkeypatch.setenv(PROXY, "")
    assert proxy_for("other.test:80") is None


@pytest.mark.parametrize("url", ["https://proxy:1", "socks5://proxy:1", "http://proxy:x", "http://"])
def test_proxies_that_cannot_be(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(PROXY, url)
    with pytest.raises(EndpointError, match="the proxy"):
        proxy_for("hub:80")
