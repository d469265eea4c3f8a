"""A wire between two ends over TCP that can be cut: in order, by a reset, at one side only, or after so many bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

__all__ = ["CUTS", "Cutter"]

CUTS: Final = ("reset", "end", "one side")
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of zero: closing is a reset."""


class Cutter:
    """Listens, dials the other end for whoever comes, and passes bytes until it is told to cut.

    Attributes:
        port: where it listens.
        target: the port of the end that listens behind it.
        budget: bytes after which the next connection is cut; None for never.
    """

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self.budget: int | None = None
        self._server: asyncio.Server | None = None
        self._wires: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Cutter:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut("reset")
        await asyncio.gather(*self._passing, return_exceptions=True)

    def cut(self, how: str) -> None:
        """Cut all connections."""
        for number, (one, other) in enumerate(list(self._wires)):
            _close(one, reset=how != "end")
            _close(other, reset=how == "reset" or (how == "one side" and number % 2 == 1))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        budget, self.budget = self.budget, None
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _close(writer, reset=True)
            return
        wire = (writer, ahead)
        self._wires.add(wire)
        left = [float("inf") if budget is None else budget]
        tasks = [asyncio.create_task(_pass(reader, ahead, left)), asyncio.create_task(_pass(behind, writer, left))]
        self._passing.update(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in wire:
                _close(each, reset=budget is not None)
            for task in tasks:
                task.cancel()
                self._passing.discard(task)
            self._wires.discard(wire)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[float]) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            part = data[: int(min(len(data), left[0]))]
            left[0] -= len(part)
            writer.write(part)
            await writer.drain()
            if left[0] <= 0:
                return


def _close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    own = writer.get_extra_info("socket")
    if reset and own is not None and own.fileno() >= 0:
        with suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        writer.transport.abort()
    else:
        writer.close()
