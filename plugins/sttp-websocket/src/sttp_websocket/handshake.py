"""The opening handshake of a WebSocket, over any stream."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response
from websockets.protocol import Event, Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from sttp.transport import ByteStream, TransportError
from sttp_websocket.address import Place
from sttp_websocket.stream import MESSAGE_LIMIT, WebSocketStream

__all__ = ["answered", "asked"]

_MOST_BYTES: Final = 64 * 2**10
"""Bytes that the other end may send before the handshake is done."""


async def asked(inner: ByteStream, place: Place, *, secure: bool) -> WebSocketStream:
    """Open a WebSocket as the end that dialed. When this fails or is cancelled the stream below is aborted.

    Args:
        inner: the stream below.
        place: whom to ask for.
        secure: whether there is TLS below.

    Raises:
        TransportError: the other end refuses, or speaks something else.
    """
    protocol = ClientProtocol(parse_uri(f"{'wss' if secure else 'ws'}://{place}"), max_size=MESSAGE_LIMIT)
    try:
        protocol.send_request(protocol.connect())
        await inner.send(protocol.data_to_send())
        events = await _until(inner, protocol, lambda events: any(isinstance(each, Response) for each in events))
        if protocol.handshake_exc is not None:
            raise TransportError(f"cannot connect to {place}: {_refusal(protocol.handshake_exc)}")
    except BaseException:
        inner.abort()
        await inner.close()
        raise
    return WebSocketStream(inner, protocol, str(place), events)


async def answered(inner: ByteStream, path: str) -> WebSocketStream:
    """Open a WebSocket as the end that accepted. When this fails or is cancelled the stream below is ended.

    Args:
        inner: the stream below.
        path: the only path that is served.

    Raises:
        TransportError: the other end asks for another path, or speaks something else.
    """
    protocol = ServerProtocol(max_size=MESSAGE_LIMIT)
    try:
        events = await _until(inner, protocol, lambda events: any(isinstance(each, Request) for each in events))
        request = next((each for each in events if isinstance(each, Request)), None)
        if request is None:
            raise TransportError(f"{inner.peer} does not ask for a WebSocket: {protocol.handshake_exc}")
        if request.path == path:
            response = protocol.accept(request)
        else:
            response = protocol.reject(HTTPStatus.NOT_FOUND, "There is no WebSocket of that path here.\n")
        protocol.send_response(response)
        await inner.send([each for each in protocol.data_to_send() if each])
        if protocol.handshake_exc is not None or response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            reason = protocol.handshake_exc or f"it asks for {request.path}, and here is {path}"
            raise TransportError(f"{inner.peer} was turned away: {reason}")
    except TransportError:
        await inner.close()
        raise
    except BaseException:
        inner.abort()
        await inner.close()
        raise
    return WebSocketStream(inner, protocol, inner.peer, [each for each in events if each is not request])


async def _until(inner: ByteStream, protocol: Protocol, done: Callable[[list[Event]], bool]) -> list[Event]:
    """Read until the handshake is as far as wanted, or has failed; return what has come in."""
    buffer = bytearray(4096)
    events: list[Event] = []
    size = 0
    while not done(events) and _handshake_error(protocol) is None:
        count = await inner.receive_into(buffer)
        size += count
        if size > _MOST_BYTES:
            raise TransportError(f"{inner.peer} sends more than {_MOST_BYTES} bytes before there is a WebSocket")
        if count:
            protocol.receive_data(bytes(buffer[:count]))
        else:
            protocol.receive_eof()
        events += protocol.events_received()
        if not count and not done(events):
            raise TransportError(f"{inner.peer} has gone before there was a WebSocket")
    return events


def _handshake_error(protocol: Protocol) -> Exception | None:
    error: Exception | None = getattr(protocol, "handshake_exc", None)
    return error


def _refusal(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status == HTTPStatus.NOT_FOUND:
            return "there is no WebSocket of that path (404)"
        return f"the other end answers {status} {error.response.reason_phrase}"
    return f"the other end does not speak WebSocket: {error}"
