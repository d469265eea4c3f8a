"""Cipher keys of the data channel (wire.md 7.7): how they are told, and what is encrypted under them.

They come from gsfapi and are weak; see `sttp.wire.cipher`. What matters is that both ends agree on what is encrypted.
"""

from __future__ import annotations

from typing import Final

from sttp.codes import Command, Response
from sttp.wire import commands, responses
from sttp.wire.cipher import CipherKey
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.overheard import frames
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on, goes_on, streaming
from sttp_conformance.violation import NotSupported

_PERIOD: Final = 1.1
"""Seconds after which a publisher may rotate its keys again."""

_EVEN, _ODD = CipherKey(bytes(range(32)), bytes(range(16))), CipherKey(bytes(range(128, 160)), bytes(range(240, 256)))

_SETS: Final = b"".join(len(part).to_bytes(4, "big") + part for each in (_EVEN, _ODD) for part in (each.key, each.iv))
"""Both sets as UpdateCipherKeys has them, behind the active one."""


# --- publishers


async def _rotate(peer: ScriptedSubscriber) -> responses.Succeeded | responses.Failed:
    await peer.say(commands.RotateCipherKeys())
    return await peer.answer(Command.ROTATE_CIPHER_KEYS, "RotateCipherKeys")


def _updates(peer: ScriptedSubscriber) -> list[bytes]:
    """Payloads of each UpdateCipherKeys that came."""
    return [each[6:] for each in frames(peer) if each[0] == Response.UPDATE_CIPHER_KEYS]


async def _rotated(peer: ScriptedSubscriber) -> bytes:
    """Ask for cipher keys, and return the payload of UpdateCipherKeys.

    Raises:
        NotSupported: the publisher refuses to make any.
    """
    answer = await _rotate(peer)
    if isinstance(answer, responses.Failed):
        raise NotSupported(f"RotateCipherKeys is refused: {answer.text}")
    if not (updates := _updates(peer)):
        raise NotSupported("RotateCipherKeys is answered without keys, of which another check tells")
    return updates[-1]


@check(PUBLISHER)
async def answers_rotate_cipher_keys(case: Case) -> None:
    """A publisher answers RotateCipherKeys with Succeeded or Failed, subscribed or not."""
    async with case.subscriber() as peer:
        await peer.begin()
        await _rotate(peer)
    async with streaming(case) as (peer, _):
        await _rotate(peer)


@check(PUBLISHER)
async def rotation_succeeds_only_with_keys(case: Case) -> None:
    """Before Succeeded for RotateCipherKeys comes UpdateCipherKeys."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.RotateCipherKeys())
        await peer.settle(Command.ROTATE_CIPHER_KEYS)
        heard = [each[:2] for each in frames(peer) if each[:2] == b"\x80\x04" or each[0] == Response.UPDATE_CIPHER_KEYS]
        case.require(heard[:1] != [b"\x80\x04"], "UpdateCipherKeys before Succeeded for RotateCipherKeys", "none")


@check(PUBLISHER)
async def cipher_keys_are_well_formed(case: Case) -> None:
    """UpdateCipherKeys has 113 bytes: the active set, then two keys of 32 and vectors of 16 with their lengths."""
    async with case.subscriber() as peer:
        await peer.begin()
        payload = await _rotated(peer)
        case.require(len(payload) == 113, "UpdateCipherKeys of 113 bytes", len(payload))
        case.require(payload[0] in (0, 1), "the active set, 0 or 1", payload[0])
        for place, length in ((1, 32), (37, 16), (57, 32), (93, 16)):
            found = int.from_bytes(payload[place : place + 4], "big")
            case.require(found == length, f"the length {length} at byte {place}", found)
        case.require(payload[5:37] != payload[61:93], "two keys that are not the same", payload[5:37].hex(" "))


@check(PUBLISHER, needs=("control:publish",))
async def data_behind_cipher_keys_is_encrypted(case: Case) -> None:
    """Once there are keys, each data packet is encrypted behind its flags, under the set that its CipherIndex names."""
    for modes in (COMPACT, TSSC):
        async with streaming(case, modes) as (peer, subscription):
            await _rotated(peer)
            await goes_on(case, peer, subscription)
            await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def rotation_changes_to_the_set_that_is_known(case: Case) -> None:
    """A later rotation replaces the set in use, and makes active the other one, which is known already."""
    async with streaming(case) as (peer, subscription):
        first = await _rotated(peer)
        await peer.expect_silence(during=_PERIOD, what="that the connection stays up")
        second = await _rotated(peer)
        case.require(len(_updates(peer)) == 2, "two UpdateCipherKeys for two rotations", len(_updates(peer)))
        case.require(second[0] == 1 - first[0], f"the active set {1 - first[0]}", second[0])
        old, new = (slice(1, 57), slice(57, 113)) if first[0] == 0 else (slice(57, 113), slice(1, 57))
        case.require(second[new] == first[new], "in the active set what was known of it", second[new].hex(" "))
        case.require(second[old] != first[old], "another set in place of the one that was active", "the same")
        await goes_on(case, peer, subscription)


@check(PUBLISHER, needs=("control:publish",))
async def cipher_keys_end_with_the_connection(case: Case) -> None:
    """Keys end with the connection: on the next one data is plain until keys are sent."""
    async with streaming(case) as (peer, subscription):
        await _rotated(peer)
        await goes_on(case, peer, subscription)
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)
        case.require(not _updates(peer), "no keys that nobody asked for", len(_updates(peer)))


@check(PUBLISHER)
async def refuses_hasty_rotations(case: Case) -> None:
    """A rotation within a second of the last is refused."""
    async with case.subscriber() as peer:
        await peer.begin()
        await _rotated(peer)
        answer = await _rotate(peer)
        case.require(isinstance(answer, responses.Failed), "Failed for a second rotation at once", "Succeeded")


# --- subscribers


def _keys(active: int = 0) -> responses.UpdateCipherKeys:
    return responses.UpdateCipherKeys(
        active=active, even_key=_EVEN.key, even_iv=_EVEN.iv, odd_key=_ODD.key, odd_iv=_ODD.iv
    )


async def _give_keys(peer: ScriptedPublisher, active: int = 0) -> None:
    """Tell the subscriber keys; what this end says from now on is encrypted with the active one."""
    update = _keys(active)
    await peer.say(update)
    peer.packets.response(update)


async def _arrives(case: Case, peer: ScriptedPublisher, *index: int, tssc: bool) -> None:
    sent = case.frame(*index)
    await peer.send(sent, tssc=tssc)
    received = await case.received(len(index))
    case.require(sorted(received) == sorted(rows(sent, SIGNALS)), "the measurements as they were sent", received)


@check(SUBSCRIBER, needs=("control:report", "cipher-keys"))
async def decrypts_data_behind_cipher_keys(case: Case) -> None:
    """A subscriber decrypts the data behind UpdateCipherKeys, compact and TSSC."""
    async with case.publisher() as peer:
        await peer.serve()
        await _arrives(case, peer, 0, 1, tssc=True)
        await _give_keys(peer)
        for tssc in (False, True):
            await _arrives(case, peer, 0, tssc=tssc)
            await _arrives(case, peer, *range(8), tssc=tssc)


@check(SUBSCRIBER, needs=("control:report", "cipher-keys"))
async def uses_the_key_set_that_each_packet_names(case: Case) -> None:
    """A subscriber decrypts each packet with the set that its CipherIndex names, whichever is active."""
    async with case.publisher() as peer:
        await peer.serve()
        for active in (0, 1):
            await _give_keys(peer, active)
            for used in (active, 1 - active, active):
                peer.packets.cipher.active = used
                await _arrives(case, peer, 0, 7, tssc=False)
                await _arrives(case, peer, 0, 7, tssc=True)


@check(SUBSCRIBER, needs=("control:report", "cipher-keys"))
async def removes_the_padding_of_encrypted_data(case: Case) -> None:
    """A subscriber removes the padding before it reads a block: some end where padding would read as codes."""
    async with case.publisher() as peer:
        await peer.serve()
        await _give_keys(peer)
        for count in range(1, 9):
            for _ in range(3):
                await _arrives(case, peer, *range(count), tssc=True)


_BROKEN_KEYS: Final = {
    "nothing": b"",
    "the active set alone": b"\0",
    "keys that end early": (b"\0" + _SETS)[:-3],
    "a negative length": b"\0\xff\xff\xff\xff" + _SETS[4:],
    "a length beyond the end": b"\0\x7f\xff\xff\xff" + _SETS[4:],
    "keys without lengths": b"\0" + _EVEN.key + _EVEN.iv + _ODD.key + _ODD.iv,
}


@check(SUBSCRIBER, topic="meets_malformed_input")
async def survives_broken_cipher_keys(case: Case) -> None:
    """Cipher keys that cannot be read cost at most the connection."""
    for payload in _BROKEN_KEYS.values():
        async with case.publisher() as peer:
            await peer.serve()
            code, command = Response.UPDATE_CIPHER_KEYS, Command.SUBSCRIBE
            await peer.say(frame(bytes((code, command)), len(payload).to_bytes(4, "big"), payload))
            await peer.expect_silence_or_end()
    await _is_well(case)


@check(SUBSCRIBER, topic="meets_malformed_input")
async def survives_cipher_text_of_odd_length(case: Case) -> None:
    """Cipher text that is no number of blocks, or none at all, costs at most the connection."""
    for size in (0, 1, 15, 17, 33):
        async with case.publisher() as peer:
            await peer.serve()
            await _give_keys(peer)
            payload = b"\x02" + bytes(size)
            packet = bytes((Response.DATA_PACKET, Command.SUBSCRIBE)) + len(payload).to_bytes(4, "big") + payload
            await peer.say(frame(packet))
            await peer.expect_silence_or_end()
    await _is_well(case)


async def _is_well(case: Case) -> None:
    """Check that a new session is one like any other."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def does_not_confirm_cipher_keys(case: Case) -> None:
    """A subscriber does not confirm cipher keys."""
    async with case.publisher() as peer:
        await peer.serve()
        await _give_keys(peer)
        await peer.expect_silence(what="no answer to UpdateCipherKeys")
