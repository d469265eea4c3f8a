"""A peer that asks and asks and does not read: it is not read either, so that its answers do not fill our memory."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest

from sttp.codes import Command, OperationalModes
from sttp.connection import READ_SIZE, UNSENT_SIZE, Connection
from sttp.session import PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.transport.memory import stream_pair
from sttp.wire import commands, responses
from sttp.wire.commands import write_command
from sttp.wire.responses import write_response

MODES = OperationalModes()

ASKED = write_command(commands.UpdateProcessingInterval(milliseconds=1), MODES)
TO_BE_CONFIRMED = write_response(responses.Notify(hash=b"hash", text=""), MODES)


async def ignore(event: object) -> None:
    pass


@pytest.mark.parametrize(
    ("session", "opening", "asked"),
    [
        (PublisherSession, write_command(commands.DefineOperationalModes(modes=MODES), MODES), ASKED),
        (
            SubscriberSession,
            write_response(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES), MODES),
            TO_BE_CONFIRMED,
        ),
    ],
    ids=["publisher", "subscriber"],
)
async def test_who_does_not_read_is_not_read(session: type[Session[Any]], opening: bytes, asked: bytes) -> None:
    ours, theirs = stream_pair()
    connection = Connection(ours, session(now=monotonic()), ignore, read_size=READ_SIZE // 16)  # type: ignore[call-arg]
    running = asyncio.create_task(connection.run())
    asking = asyncio.create_task(theirs.send([opening, asked * 50_000]))
    read = -1
    while connection.tally.bytes_received > read:
        read = connection.tally.bytes_received
        for _ in range(1000):
            await asyncio.sleep(0)
    assert not asking.done(), "it would have more to ask"
    assert UNSENT_SIZE < connection.session.unsent < 4 * UNSENT_SIZE

    buffer = bytearray(READ_SIZE)
    while connection.tally.bytes_received == read:
        await theirs.receive_into(buffer)  # once it reads it is read again
    asking.cancel()
    theirs.abort()
    await running
    await asyncio.gather(asking, return_exceptions=True)
