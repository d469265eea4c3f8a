"""Malformed input (wire.md 1.4, 1.5): unknown codes, impossible lengths, messages that do not fit their codes."""

from __future__ import annotations

from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check


@check(PUBLISHER)
async def keeps_the_connection_on_an_unknown_command(case: Case) -> None:
    """A publisher keeps the connection when a command comes that nobody has defined."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.UnknownCommand(code=0x7E, payload=b"what is this?"))
        await peer.fence()


@check(SUBSCRIBER)
async def ignores_an_unknown_response(case: Case) -> None:
    """A subscriber keeps the connection when a response comes that nobody has defined."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.say(responses.UnknownResponse(code=0x9E, payload=b"what is this?"))
        await peer.wait_for_subscribe()
        await peer.say(responses.UnknownResponse(code=0x9E, command=0x7E))
        await peer.offer()
