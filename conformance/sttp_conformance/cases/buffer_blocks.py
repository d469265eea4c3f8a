"""Buffer blocks (wire.md 7.6): bytes that belong to a signal, counted, confirmed, and sent again until they are."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import Final

from sttp.codes import Command, Response, Role
from sttp.measurement import SignalTable
from sttp.wire import commands, responses
from sttp.wire.responses import BufferBlockFlags
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS
from sttp_conformance.picking import everything, only
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, EVERYTHING, TSSC, ScriptedSubscriber, Subscription
from sttp_conformance.sessions import cache_goes_on, goes_on, said, streaming
from sttp_conformance.violation import NotSupported, Violation

_ASKS: Final = BufferBlockFlags.REQUIRE_CONFIRMATION
_KNOWN: Final = BufferBlockFlags(0x1D)
_REPEATS_AFTER: Final = 1
"""Seconds after which unconfirmed blocks are sent again, when a subscriber asks for it."""

_TIMEOUT: Final = {"bufferBlockRetransmissionTimeout": str(_REPEATS_AFTER)}

_OFFERS = ("control:buffer-block", "buffer-blocks")
_HANDED_OVER = ("control:events", "buffer-blocks")


# --- publishers


@dataclass(frozen=True, slots=True)
class _Block:
    """A buffer block as it stands on the wire: number, flags, signal index, bytes as the application gave them."""

    sequence: int
    flags: BufferBlockFlags
    signal_index: int
    payload: bytes


def _read(frame: bytes) -> _Block:
    """Read a buffer block without mercy.

    Raises:
        Violation: it is none in the current layout.
    """
    payload = frame[6:]
    if len(payload) < 9:
        raise Violation(f"expected a buffer block of at least 9 bytes, not [{payload.hex(' ')}]")
    flags, content = BufferBlockFlags(payload[4]), payload[9:]
    if flags & ~_KNOWN:
        raise Violation(f"expected flags without unknown bits in a buffer block, not {payload[4]:#04x}")
    if BufferBlockFlags.COMPRESSED in flags:
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise Violation(f"expected gzip in a buffer block whose flags say so, but {error}") from None
    return _Block(int.from_bytes(payload[:4], "big"), flags, int.from_bytes(payload[5:9], "big", signed=True), content)


async def _next_block(peer: ScriptedSubscriber, *, confirm: bool = True, within: float | None = None) -> _Block:
    """The next buffer block; it is confirmed if it asks for that."""
    found = await peer.find(responses.BufferBlock, within=within, what="a buffer block")
    blocks = [each for each in said(peer.recording, Role.PUBLISHER) if each[0] == Response.BUFFER_BLOCK]
    block = next(each for each in map(_read, blocks) if each.sequence == found.sequence)
    if confirm and _ASKS in block.flags:
        await peer.say(commands.ConfirmBufferBlock(sequence=block.sequence))
    return block


async def _publish(case: Case, signals: SignalTable, index: int, payload: bytes) -> None:
    await case.control.ask("buffer-block", signal=str(signals[index].signal_id), payload=payload.hex())


@check(PUBLISHER, needs=_OFFERS)
async def buffer_blocks_are_well_formed(case: Case) -> None:
    """A buffer block has number, flags, signal index and bytes; the index is one of the cache that its flags name."""
    for modes in (TSSC, COMPACT):
        async with streaming(case, modes) as (peer, subscription):
            first, *_, last = subscription.indexes
            for index, payload in ((first, b"HELLO"), (last, b""), (first, bytes(range(256)) * 8)):
                await _publish(case, subscription.signals, index, payload)
                block = await _next_block(peer)
                slot = int(BufferBlockFlags.CACHE_INDEX in block.flags)
                case.require(slot == subscription.cache_index, f"the cache {subscription.cache_index}", slot)
                case.require(block.signal_index == index, f"the signal index {index}", block.signal_index)
                case.require(block.payload == payload, f"[{payload.hex(' ')[:80]}]", f"[{block.payload.hex(' ')[:80]}]")


@check(PUBLISHER, needs=_OFFERS)
async def buffer_blocks_count_from_0(case: Case) -> None:
    """The numbers of buffer blocks begin at 0 with a subscription, and grow by one."""
    for _ in range(2):
        async with streaming(case) as (peer, subscription):
            for number in range(5):
                await _publish(case, subscription.signals, subscription.indexes[0], b"block")
                block = await _next_block(peer)
                case.require(block.sequence == number, f"the number {number}", block.sequence)


@check(PUBLISHER, needs=_OFFERS)
async def buffer_blocks_go_to_their_subscribers_only(case: Case) -> None:
    """Buffer blocks of a signal go to nobody who has not subscribed to it."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await _publish(case, signals, 1, b"to all")
        await _next_block(peer)
        await peer.subscribe(only(signals, 0))
        await peer.fence()
        await _publish(case, signals, 1, b"not for you")
        await _publish(case, signals, 0, b"for you")
        block = await _next_block(peer)
        case.require(block.payload == b"for you", "the buffer block of the signal that is subscribed", block.payload)


async def _unconfirmed(case: Case, peer: ScriptedSubscriber) -> tuple[Subscription, _Block]:
    """A subscription whose blocks are soon repeated, and the first block of it, which nobody has confirmed."""
    await peer.begin()
    subscription = await peer.subscribe(EVERYTHING, extra=_TIMEOUT)
    await peer.fence()
    await _publish(case, subscription.signals, subscription.indexes[0], b"again")
    return subscription, await _next_block(peer, confirm=False)


@check(PUBLISHER, needs=_OFFERS)
async def repeats_unconfirmed_buffer_blocks(case: Case) -> None:
    """A buffer block that asks for a confirmation is sent again until it is confirmed."""
    async with case.subscriber() as peer:
        _, first = await _unconfirmed(case, peer)
        if _ASKS not in first.flags:
            raise NotSupported("its buffer blocks ask for no confirmation")
        for _ in range(2):
            block = await _next_block(peer, confirm=False, within=2 * _REPEATS_AFTER + case.grace.quiet)
            case.require(block == first, f"the block {first} again", block)


@check(PUBLISHER, needs=_OFFERS)
async def leaves_confirmed_buffer_blocks_alone(case: Case) -> None:
    """A buffer block that was confirmed is not sent again."""
    async with case.subscriber() as peer:
        subscription, first = await _unconfirmed(case, peer)
        try:
            await _next_block(peer, within=2 * _REPEATS_AFTER + case.grace.quiet)
        except Violation:
            raise NotSupported("it sends no buffer block again, of which another check tells") from None
        await _publish(case, subscription.signals, subscription.indexes[1], b"once")
        second = await _next_block(peer)
        case.require(second.sequence == first.sequence + 1, f"block {first.sequence + 1}", second.sequence)
        await peer.expect_silence(during=1.5 * _REPEATS_AFTER + case.grace.quiet, what="no buffer block again")


@check(PUBLISHER)
async def ignores_a_needless_buffer_block_confirm(case: Case) -> None:
    """A publisher ignores the confirmation of a buffer block that it never sent, and does not answer it."""
    async with streaming(case) as (peer, subscription):
        for number in (0, 12345, 2**31, 2**32 - 1):
            await peer.say(commands.ConfirmBufferBlock(sequence=number))
            await goes_on(case, peer, subscription)
        answers = [each for each in said(peer.recording, Role.PUBLISHER) if each[1] == Command.CONFIRM_BUFFER_BLOCK]
        case.require(not answers, "no answer to ConfirmBufferBlock", [each.hex(" ") for each in answers])


# --- subscribers


def _block(sequence: int, payload: bytes, flags: BufferBlockFlags = _ASKS, *, signal: int = 0) -> responses.BufferBlock:
    return responses.BufferBlock(sequence=sequence, flags=flags, signal_index=signal, payload=payload)


async def _handed_over(case: Case, *payloads: bytes, signal: int = 0) -> None:
    """Check that the application gets blocks in this order, and no others."""
    for payload in payloads:
        event = await case.event("buffer-block")
        got = bytes.fromhex(event["payload"])
        case.require(got == payload, f"the block [{payload.hex(' ')[:80]}]", f"[{got.hex(' ')[:80]}]")
        signal_id = str(SIGNALS[signal].signal_id)
        case.require(event["signal"] == signal_id, f"a block of the signal {signal_id}", event["signal"])
    rest = [each for each in await case.events() if each["event"] == "buffer-block"]
    case.require(not rest, f"{len(payloads)} blocks and no more", rest)


async def _confirmed(case: Case, peer: ScriptedPublisher, sequence: int, *, said: str = "") -> None:
    what = f"the confirmation of buffer block {sequence}{f', {said}' if said else ''}"
    found = await peer.expect(commands.ConfirmBufferBlock, what=what, harmless=(commands.UpdateProcessingInterval,))
    case.require(found.sequence == sequence, what, f"that of {found.sequence}")


@check(SUBSCRIBER, needs=("buffer-blocks",))
async def confirms_buffer_blocks_that_ask(case: Case) -> None:
    """A subscriber confirms each buffer block that asks for it, with its number."""
    async with case.publisher() as peer:
        await peer.serve()
        for number in range(3):
            await peer.say(_block(number, b"HELLO", signal=number))
            await _confirmed(case, peer, number)


@check(SUBSCRIBER, needs=("buffer-blocks",))
async def confirms_duplicate_buffer_blocks(case: Case) -> None:
    """A subscriber confirms a buffer block that comes again once more: the first confirmation may be lost."""
    async with case.publisher() as peer:
        await peer.serve()
        for number in (0, 0, 1, 0, 1):
            await peer.say(_block(number, b"HELLO"))
            await _confirmed(case, peer, number)


@check(SUBSCRIBER, needs=("buffer-blocks",))
async def leaves_other_buffer_blocks_unconfirmed(case: Case) -> None:
    """A subscriber does not confirm a buffer block that does not ask for it."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(_block(0, b"do not", BufferBlockFlags.NONE), _block(1, b"confirm", BufferBlockFlags.NONE))
        await peer.say(_block(2, b"but this"))
        await _confirmed(case, peer, 2, said="the only one of the blocks 0, 1 and 2 that asks for it")


@check(SUBSCRIBER, needs=_HANDED_OVER)
async def hands_over_buffer_blocks(case: Case) -> None:
    """The application gets each buffer block with its signal and its bytes."""
    async with case.publisher() as peer:
        await peer.serve()
        for number, payload in enumerate((b"HELLO", b"", bytes(range(256)) * 16)):
            await peer.say(_block(number, payload, signal=number))
            await _handed_over(case, payload, signal=number)


@check(SUBSCRIBER, needs=_HANDED_OVER)
async def hands_over_duplicate_buffer_blocks_once(case: Case) -> None:
    """A buffer block that comes again is handed over once."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(*(_block(number, b"block %d" % number) for number in (0, 0, 1, 0, 1, 2)))
        await _handed_over(case, b"block 0", b"block 1", b"block 2")


@check(SUBSCRIBER, needs=_HANDED_OVER)
async def inflates_buffer_blocks(case: Case) -> None:
    """The application gets the bytes of a compressed buffer block inflated."""
    async with case.publisher() as peer:
        await peer.serve()
        for number, payload in enumerate((b"HELLO", bytes(4096), b"")):
            await peer.say(_block(number, gzip.compress(payload, mtime=0), _ASKS | BufferBlockFlags.COMPRESSED))
            await _handed_over(case, payload)


@check(SUBSCRIBER, needs=_HANDED_OVER)
async def orders_buffer_blocks(case: Case) -> None:
    """Buffer blocks that arrive out of order are handed over in order."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(*(_block(number, b"block %d" % number) for number in (0, 2, 3, 1, 4)))
        await _handed_over(case, *(b"block %d" % number for number in range(5)))


@check(SUBSCRIBER)
async def survives_a_buffer_block_far_ahead(case: Case) -> None:
    """A buffer block whose number is far ahead costs nothing by its distance: what follows is served."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
        for number in (2**31, 2**32 - 1, 2**30):
            await peer.say(_block(number, b"far ahead"))
            await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def tolerates_buffer_blocks(case: Case) -> None:
    """A buffer block that is of no use neither ends the session nor the subscription."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
        slot_1 = BufferBlockFlags.CACHE_INDEX
        for each in (_block(0, b"known"), _block(1, b"unknown", signal=4711), _block(2, b"no such cache", slot_1)):
            await peer.say(each)
            await cache_goes_on(case, peer)
        await peer.expect_silence(what="that the connection stays up")
        left = [each for each in said(peer.recording, Role.SUBSCRIBER) if each[0] == Command.UNSUBSCRIBE]
        case.require(not left, "no Unsubscribe for a buffer block", len(left))
