"""The switches for a whole conversation; those for single messages are tested where the messages are."""

from __future__ import annotations

import numpy as np
import pytest

from session_pair import Pair, cache, rows
from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes
from sttp.errors import LimitError, UsageError
from sttp.measurement import Columns
from sttp.session import Phase, PublisherConfig, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.events import Ended, MeasurementsReceived, PacketDropped
from sttp.tolerances import Tolerances, tolerances_for
from sttp.wire import commands, responses
from sttp.wire.compact import TimeFormat, write_compact
from sttp.wire.frame import FrameReader
from sttp.wire.signal_index_cache import write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscEncoder, write_tssc_payload

TSSC = OperationalModes()
COMPACT = OperationalModes(flags=ModeFlags(0))
OPTIONS = SubscriptionOptions(filter_expression="x", processing_interval=33)


def of(*signals: int) -> Columns:
    """A measurement of each signal index, whose value is 100 more."""
    count = len(signals)
    return Columns(
        np.array(signals, np.int32), np.full(count, 638_000_000_000_000_000, np.int64), np.zeros(count, np.uint32),
        np.array(signals, np.float32) + 100,
    )  # fmt: skip


class Cppapi:
    """A subscriber session, told what cppapi's publisher would say: no packet has the cache index."""

    def __init__(self, modes: OperationalModes, tolerances: Tolerances) -> None:
        self.modes = modes
        self.session = SubscriberSession(SubscriberConfig(modes=modes, tolerances=tolerances), now=0)
        self.encoder = TsscEncoder()
        self.answer_modes()

    def answer_modes(self) -> None:
        self.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="fine"))
        self.said()

    def say(self, *messages: responses.AnyResponse) -> None:
        frames = b"".join(responses.write_response(message, self.modes) for message in messages)
        self.session.receive_data(frames, now=0)

    def said(self) -> list[commands.AnyCommand]:
        reader = FrameReader(1 << 20)
        reader.feed(b"".join(self.session.data_to_send()))
        return [commands.read_command(frame, self.modes) for frame in reader]

    def offer(self, index: int, first: int) -> None:
        image = write_signal_index_cache(cache(3, first), self.modes)
        self.say(responses.UpdateSignalIndexCache(cache_index=index, image=image))
        self.say(responses.Succeeded(command=Command.SUBSCRIBE, text="yes"))

    def subscribe(self, index: int, first: int) -> None:
        self.session.subscribe(OPTIONS)
        self.offer(index, first)

    def publish(self, *signals: int) -> None:
        if self.modes.compress_payload_data:
            for block in self.encoder.encode(of(*signals)):
                body = write_tssc_payload(block)
                self.say(responses.DataPacket(flags=DataPacketFlags.COMPRESSED, count=block.count, body=body))
        else:
            for count, body in write_compact(of(*signals), TimeFormat(), None):
                self.say(responses.DataPacket(flags=DataPacketFlags.COMPACT, count=count, body=body))

    def received(self) -> list[tuple[int, int]]:
        """Number of the signal ID, and value less 100: of the first cache they differ by 1, of the second by 51."""
        found = []
        for event in self.session.events():
            if isinstance(event, PacketDropped):
                found.append((-1, event.count))
            if isinstance(event, MeasurementsReceived):
                found += [(event.signals[row[0]].signal_id.int, row[0]) for row in rows(event.columns)]
        return found


def test_a_publisher_that_never_sets_the_cache_index() -> None:
    """Compact: nothing in a packet tells which cache it was made with; a fence behind the confirm does (5.5)."""
    peer = Cppapi(COMPACT, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    subscribe, confirm = peer.said()
    assert (type(subscribe), type(confirm)) == (commands.Subscribe, commands.ConfirmUpdateSignalIndexCache)
    peer.publish(0, 1)
    assert peer.received() == [(1, 0), (2, 1)]

    peer.subscribe(1, first=51)
    assert [type(command) for command in peer.said()] == [
        commands.Subscribe,
        commands.ConfirmUpdateSignalIndexCache,
        commands.UpdateProcessingInterval,
    ]
    peer.publish(2)  # under way before the confirm had arrived, or after: nobody can tell
    assert peer.received() == [(-1, 1)]
    peer.say(responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted"))
    peer.publish(2)
    assert peer.received() == [(53, 2)]


def test_the_fence_is_not_shown_and_answers_of_ones_own_are() -> None:
    peer = Cppapi(COMPACT, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    peer.session.update_processing_interval(10)
    peer.subscribe(1, first=51)
    peer.session.events()
    answer = responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted")
    peer.say(answer)
    (shown,) = peer.session.events()
    assert type(shown).__name__ == "CommandSucceeded"
    peer.publish(0)
    assert peer.received() == [(-1, 1)]
    peer.say(answer)
    assert peer.session.events() == []
    peer.publish(0)
    assert peer.received() == [(51, 0)]


def test_with_tssc_the_sequence_number_tells() -> None:
    peer = Cppapi(TSSC, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    peer.publish(0)
    peer.publish(1)
    peer.subscribe(1, first=51)
    peer.publish(2)
    assert peer.received() == [(1, 0), (2, 1), (3, 2)]
    peer.encoder = TsscEncoder()
    peer.publish(0)
    peer.publish(1)
    assert peer.received() == [(51, 0), (52, 1)]
    peer.say(responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted"))
    peer.publish(2)
    assert peer.received() == [(53, 2)]


def test_two_handovers_in_quick_succession() -> None:
    peer = Cppapi(COMPACT, tolerances_for("cppapi"))
    answer = responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted")
    peer.subscribe(0, first=1)
    peer.offer(1, first=51)
    peer.offer(0, first=101)
    peer.said(), peer.session.events()
    peer.say(answer)
    peer.publish(0)
    assert peer.received() == [(-1, 1)]
    peer.say(answer)
    peer.publish(0)
    assert peer.received() == [(101, 0)]


def test_unsubscribing_forgets_what_was_incoming() -> None:
    peer = Cppapi(COMPACT, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    peer.offer(1, first=51)
    peer.session.unsubscribe()
    peer.session.handle_deadline(now=2)
    peer.subscribe(0, first=101)
    peer.session.events()
    answer = responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted")
    peer.say(answer)  # to the fence of the cache that was forgotten
    peer.publish(0)
    assert peer.received() == [(-1, 1)]
    peer.say(answer)
    peer.publish(0)
    assert peer.received() == [(101, 0)]


@pytest.mark.parametrize("modes", [COMPACT, TSSC], ids=["compact", "tssc"])
def test_caches_whose_turn_never_comes_do_not_pile_up(modes: OperationalModes) -> None:
    peer = Cppapi(modes, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    for index in range(1, 40):
        if not peer.session.ended:
            peer.offer(index % 2, first=51)
    (end,) = [event for event in peer.session.events() if isinstance(event, Ended)]
    assert isinstance(end.error, LimitError)
    assert end.error.limit == "pending_caches"


def test_data_of_the_old_cache_that_follows_an_unsubscribe_is_given_to_nobody() -> None:
    """cppapi goes on with the old cache until the new one is confirmed, also after Unsubscribe (4.7, 5.5)."""
    for modes in (COMPACT, TSSC):
        peer = Cppapi(modes, tolerances_for("cppapi"))
        peer.subscribe(0, first=1)
        peer.publish(0, 1)
        peer.session.unsubscribe()
        peer.session.handle_deadline(now=2)
        peer.session.subscribe(OPTIONS)
        peer.session.events()
        peer.publish(0)
        peer.offer(1, first=51)
        peer.publish(2)
        assert peer.received() == [(-1, 1), (-1, 1)]
        peer.encoder = TsscEncoder()
        peer.say(responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted"))
        peer.publish(2)
        assert peer.received() == [(53, 2)]


def test_without_the_switch_the_cache_index_decides() -> None:
    peer = Cppapi(COMPACT, Tolerances())
    peer.subscribe(0, first=1)
    peer.subscribe(1, first=51)
    assert commands.UpdateProcessingInterval not in map(type, peer.said())
    peer.publish(2)
    assert peer.received() == [(3, 2)]


def test_a_publisher_that_never_resets_tssc() -> None:
    peer = Cppapi(TSSC, tolerances_for("pyapi"))
    peer.subscribe(0, first=1)
    peer.publish(0, 1)
    peer.publish(2, 0)
    peer.subscribe(0, first=51)
    peer.publish(1, 2)
    assert peer.received() == [(1, 0), (2, 1), (3, 2), (1, 0), (52, 1), (53, 2)]

    strict = Cppapi(TSSC, Tolerances())
    strict.subscribe(0, first=1)
    strict.publish(0, 1)
    strict.subscribe(0, first=51)
    strict.publish(1, 2)
    assert strict.received() == [(1, 0), (2, 1), (-1, 2)]


def test_tssc_that_is_never_reset_goes_on_across_an_unsubscribe() -> None:
    peer = Cppapi(TSSC, tolerances_for("pyapi"))
    peer.subscribe(0, first=1)
    peer.publish(0, 1)
    peer.session.unsubscribe()
    peer.publish(2, 0)  # under way; dropped, but its state is what the next block builds on
    peer.say(responses.Succeeded(command=Command.UNSUBSCRIBE, text="done"))
    peer.session.handle_deadline(now=0.5)
    peer.subscribe(0, first=51)
    peer.publish(1, 2)
    assert peer.received() == [(1, 0), (2, 1), (52, 1), (53, 2)]


def test_a_publisher_that_needs_a_pause() -> None:
    for tolerances, at_once in ((tolerances_for("pyapi"), False), (Tolerances(), True)):
        peer = Cppapi(TSSC, tolerances)
        peer.subscribe(0, first=1)
        peer.said()
        peer.session.unsubscribe()
        peer.session.subscribe(OPTIONS)
        peer.say(responses.Succeeded(command=Command.UNSUBSCRIBE, text="done"))
        assert (commands.Subscribe in map(type, peer.said())) is at_once
        assert peer.session.deadline is not None
        peer.session.handle_deadline(now=0.2)
        assert (commands.Subscribe in map(type, peer.said())) is not at_once


def test_a_publisher_may_be_as_silent_as_gsfapi() -> None:
    silent = PublisherSession(PublisherConfig(tolerances=Tolerances(answer_operational_modes=False)), now=0)
    silent.receive_data(commands.write_command(commands.DefineOperationalModes(modes=TSSC), TSSC), now=0)
    assert silent.data_to_send() == []
    assert silent.phase is Phase.READY
    wrong = commands.DefineOperationalModes(modes=OperationalModes(version=9))
    silent.receive_data(commands.write_command(wrong, TSSC), now=0)
    assert silent.data_to_send() != []
    assert silent.ended


@pytest.mark.parametrize("peer", ["cppapi", "pyapi"])
def test_what_a_subscriber_would_not_survive_is_not_sent(peer: str) -> None:
    pair = Pair(publisher=PublisherConfig(tolerances=tolerances_for(peer)))
    pair.stream(cache(1))
    for sends in (
        lambda: pair.publisher.send_notification("hello"),
        lambda: pair.publisher.send_buffer_block(0, b"hello"),
        pair.publisher.rotate_cipher_keys,
    ):
        with pytest.raises(UsageError, match="would not survive"):
            sends()
    assert not pair.publisher.has_data_to_send


def test_a_fence_that_is_refused_is_a_fence_all_the_same() -> None:
    peer = Cppapi(COMPACT, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    peer.subscribe(1, first=51)
    peer.session.events()
    peer.say(responses.Failed(command=Command.UPDATE_PROCESSING_INTERVAL, text="no"))
    peer.publish(0)
    assert peer.received() == [(51, 0)]


def test_a_fence_that_tssc_overtook_changes_nothing() -> None:
    peer = Cppapi(TSSC, tolerances_for("cppapi"))
    peer.subscribe(0, first=1)
    peer.offer(1, first=51)
    peer.offer(0, first=101)
    peer.session.events()
    answer = responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="noted")
    peer.say(answer, answer)
    peer.publish(0)
    assert peer.received() == [(101, 0)]
