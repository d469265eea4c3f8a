"""User commands and user responses (wire.md 7.11, 2.1): sixteen of each, whose meaning is up to the applications."""

from __future__ import annotations

from sttp.codes import Command, Response, Role
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.sessions import cache_goes_on, goes_on, said, streaming

_PAYLOADS = (b"", b"\x01\x02", b"\0\0\0\x02ok", bytes(range(256)))
"""Bytes of an application; some look like a length and a text."""

_NUMBERS = (0, 3, 15)


@check(PUBLISHER)
async def tolerates_user_commands(case: Case) -> None:
    """A user command costs nothing, whether the application knows it or not."""
    async with streaming(case) as (peer, subscription):
        for payload in _PAYLOADS:
            await peer.say(*(commands.UserCommand(number=each, payload=payload) for each in _NUMBERS))
            await goes_on(case, peer, subscription)


@check(PUBLISHER, needs=("control:events", "user-commands"))
async def hands_over_user_commands(case: Case) -> None:
    """The application of a publisher gets the number and the bytes of a user command as they were sent."""
    async with case.subscriber() as peer:
        await peer.begin()
        for number, payload in zip((*_NUMBERS, 7), _PAYLOADS, strict=True):
            await peer.say(commands.UserCommand(number=number, payload=payload))
            await peer.fence()
            await case.event("user-command", number=number, payload=payload.hex())


@check(PUBLISHER, needs=("control:user-response", "user-commands"))
async def user_responses_name_their_command(case: Case) -> None:
    """A user response names in byte 1 the user command that it answers, and carries the application's bytes alone."""
    async with case.subscriber() as peer:
        await peer.begin()
        for number, answered, payload in zip((0, 3, 15, 5), (3, 0, 15, 6), _PAYLOADS, strict=True):
            await peer.say(commands.UserCommand(number=answered, payload=b"?"))
            await peer.fence()
            await case.control.ask("user-response", number=number, payload=payload.hex())
            while (heard := await peer.hear_frame())[0] not in range(Response.USER_RESPONSE_00, 0xF0):
                pass
            code, command = Response.USER_RESPONSE_00 + number, Command.USER_COMMAND_00 + answered
            case.require(heard[0] == code, f"the code {code:#04x} of the user response {number}", f"{heard[0]:#04x}")
            case.require(heard[1] == command, f"the user command {command:#04x} in byte 1", f"{heard[1]:#04x}")
            case.require(heard[6:] == payload, f"the bytes [{payload.hex(' ')}]", f"[{heard[6:].hex(' ')}]")


@check(SUBSCRIBER, needs=("control:events", "user-commands"))
async def hands_over_user_responses(case: Case) -> None:
    """The application of a subscriber gets the number and the bytes of a user response as they were sent."""
    async with case.publisher() as peer:
        await peer.serve()
        for number, payload in zip((*_NUMBERS, 7), _PAYLOADS, strict=True):
            command = Command.USER_COMMAND_00 + number
            await peer.say(responses.UserResponse(number=number, command=command, payload=payload))
            await case.event("user-response", number=number, payload=payload.hex())


@check(SUBSCRIBER, needs=("control:user-command",))
async def sends_user_commands_bare(case: Case) -> None:
    """A user command is its code and the application's bytes, and nothing else."""
    async with case.publisher() as peer:
        await peer.serve()
        for number, payload in zip((*_NUMBERS, 7), _PAYLOADS, strict=True):
            heard = await _sent(case, peer, number, payload)
            wanted = bytes((Command.USER_COMMAND_00 + number,)) + payload
            case.require(heard == wanted, f"the user command [{wanted.hex(' ')}]", f"[{heard.hex(' ')}]")


async def _sent(case: Case, peer: ScriptedPublisher, number: int, payload: bytes) -> bytes:
    """Let the subscriber send a user command, and return its frame."""
    before = len(said(peer.recording, Role.SUBSCRIBER))
    await case.control.ask("user-command", number=number, payload=payload.hex())
    await peer.find(commands.UserCommand)
    return next(each for each in said(peer.recording, Role.SUBSCRIBER)[before:] if each[0] >= Command.USER_COMMAND_00)


@check(SUBSCRIBER, needs=("control:user-command",))
async def goes_on_without_a_user_response(case: Case) -> None:
    """A user command that is never answered holds up nothing: measurements and other commands go on."""
    async with case.publisher() as peer:
        await peer.serve()
        await _sent(case, peer, 3, b"is anybody there?")
        await cache_goes_on(case, peer)
        await _sent(case, peer, 4, b"")
        await cache_goes_on(case, peer)
