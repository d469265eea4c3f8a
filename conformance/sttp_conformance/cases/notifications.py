"""Notifications for people (wire.md 7.5): Notify, its hash that means nothing to others, and its confirmation."""

from __future__ import annotations

import re
from dataclasses import replace

from sttp.codes import Command, Response, Role, TextEncoding
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on, goes_on, said, streaming

_LONG = "The line from Kundur to the north is out of service for maintenance until further notice."
_SHORT = "It is back, Käthe."
_CLOCK = re.compile(r"\[\d{4}-\d\d-\d\d [\d:.]+\] ")
"""What gsfapi puts in front of every text."""

_HASHES = (b"\xde\xad\xbe\xef", b"\xff\xfe\xfd\xfc", b"\xc3\x28\0\x80", bytes(4))
"""Four bytes each, most of them no UTF-8."""


@check(PUBLISHER, needs=("control:notify", "notifications"))
async def notifications_are_well_formed(case: Case) -> None:
    """A notification is four bytes and a text in the encoding of the session that fills the rest, long or short."""
    known = case.implementation.adapter.lacks
    for encoding, name in ((TextEncoding.UTF_8, "utf-8"), (TextEncoding.UTF_16LE, "utf-16le")):
        if known(f"encoding:{name}", Role.PUBLISHER):
            continue
        async with case.subscriber() as peer:
            await peer.begin(replace(TSSC, encoding=encoding))
            await peer.fence()
            for text in (_LONG, _SHORT):
                await case.control.ask("notify", text=text)
                payload = await _notification(peer)
                case.require(len(payload) > 4, "four bytes and a text", payload.hex(" "))
                got = payload[4:].decode(name, "replace")
                case.require(_CLOCK.sub("", got, count=1) == text, f"the text {text!r} in {name}", repr(got))


async def _notification(peer: ScriptedSubscriber) -> bytes:
    """The payload of the next Notify, as it stands on the wire; it is confirmed."""
    while (frame := await peer.hear_frame())[0] != Response.NOTIFY:
        pass
    await peer.say(commands.ConfirmNotification(hash=frame[6:10].ljust(4, b"\0")))
    return frame[6:]


@check(PUBLISHER)
async def ignores_a_needless_notification_confirm(case: Case) -> None:
    """A publisher ignores ConfirmNotification of a hash that it never sent, and does not answer it."""
    async with streaming(case) as (peer, subscription):
        for each in _HASHES:
            await peer.say(commands.ConfirmNotification(hash=each))
            await goes_on(case, peer, subscription)
        answers = [each for each in said(peer.recording, Role.PUBLISHER) if each[1] == Command.CONFIRM_NOTIFICATION]
        case.require(not answers, "no answer to ConfirmNotification", [each.hex(" ") for each in answers])


@check(SUBSCRIBER, needs=("notifications",))
async def confirms_notifications(case: Case) -> None:
    """A subscriber confirms each notification with the four bytes that came with it, whatever they are."""
    async with case.publisher() as peer:
        await peer.serve()
        for each in _HASHES:
            await peer.say(responses.Notify(hash=each, text=f"notice {each.hex()}"))
            confirmed = await peer.find(commands.ConfirmNotification)
            case.require(confirmed.hash == each, f"the hash {each.hex(' ')}", confirmed.hash.hex(" "))


@check(SUBSCRIBER)
async def tolerates_notifications(case: Case) -> None:
    """A notification does not end the session: not before the modes are answered, not while idle, not in mid-stream."""
    async with case.publisher() as peer:
        await peer.say(responses.Notify(hash=_HASHES[0], text="before the modes are answered"))
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await peer.say(responses.Notify(hash=_HASHES[1], text="before the subscription is"))
        await peer.offer()
        await peer.say(responses.Notify(hash=_HASHES[2], text="idle"))
        await cache_goes_on(case, peer)
        await peer.say(responses.Notify(hash=_HASHES[3], text=""))
        await cache_goes_on(case, peer)
