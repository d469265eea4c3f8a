"""The publisher session, driven by raw commands and by a subscriber session."""

from __future__ import annotations

import numpy as np
import pytest

from session_pair import Pair, cache, kinds, rows
from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes
from sttp.errors import (
    ClosedError,
    FrameError,
    LimitError,
    MessageError,
    ProtocolError,
    RefusedError,
    SequenceError,
    SilenceError,
    TransportError,
    UsageError,
)
from sttp.measurement import Columns
from sttp.session import Phase, PublisherConfig, PublisherSession
from sttp.session.events import (
    BufferBlockConfirmed,
    CipherKeysRequested,
    Ended,
    MessageIgnored,
    MetadataRequested,
    ModesDefined,
    NotificationConfirmed,
    ProcessingIntervalRequested,
    StreamingStarted,
    SubscribeRequested,
    Unsubscribed,
    UserCommandReceived,
)
from sttp.wire import commands, responses
from sttp.wire.frame import FrameReader, write_frame

MODES = OperationalModes()


def columns(*values: float, ticks: int = 638_000_000_000_000_000) -> Columns:
    count = len(values)
    return Columns(
        np.arange(count, dtype=np.int32),
        np.full(count, ticks, np.int64),
        np.zeros(count, np.uint32),
        np.array(values, np.float32),
    )


def say(session: PublisherSession, *said: commands.AnyCommand, modes: OperationalModes = MODES) -> None:
    session.receive_data(b"".join(commands.write_command(command, modes) for command in said), now=0)


def replies(session: PublisherSession, modes: OperationalModes = MODES) -> list[responses.AnyResponse]:
    reader = FrameReader(1 << 30)
    reader.feed(b"".join(session.data_to_send()))
    return [response for frame in reader.frames() for response in responses.read_responses(frame, modes)]


def ready(modes: OperationalModes = MODES, config: PublisherConfig | None = None) -> PublisherSession:
    session = PublisherSession(config or PublisherConfig(), now=0)
    say(session, commands.DefineOperationalModes(modes=modes))
    session.data_to_send(), session.events()
    return session


def streaming(modes: OperationalModes = MODES, options: str = "filterExpression={x}") -> PublisherSession:
    session = ready(modes)
    say(session, commands.Subscribe(connection_string=options), modes=modes)
    session.accept_subscription(cache(3))
    say(session, commands.ConfirmUpdateSignalIndexCache(), modes=modes)
    session.data_to_send(), session.events()
    return session


def end_of(session: PublisherSession) -> BaseException | None:
    (end,) = [event for event in session.events() if isinstance(event, Ended)]
    return end.error


def test_it_says_nothing_before_the_subscriber_has_spoken() -> None:
    session = PublisherSession(now=0)
    assert session.data_to_send() == []
    assert session.phase is Phase.CONNECTED
    assert session.signals is None


def test_modes_are_answered_in_every_version() -> None:
    for version in (1, 2, 3):
        modes = OperationalModes(version=version)
        session = PublisherSession(now=0)
        say(session, commands.DefineOperationalModes(modes=modes))
        (reply,) = replies(session, modes)
        assert isinstance(reply, responses.Succeeded)
        assert reply.command == Command.DEFINE_OPERATIONAL_MODES
        assert session.events() == [ModesDefined(modes=modes)]
        assert session.modes == modes


@pytest.mark.parametrize("version", [0, 4, 31])
def test_other_versions_are_refused_and_the_session_ends(version: int) -> None:
    session = PublisherSession(now=0)
    say(session, commands.DefineOperationalModes(modes=OperationalModes(version=version)))
    (reply,) = replies(session)
    assert isinstance(reply, responses.Failed)
    assert reply.command == Command.DEFINE_OPERATIONAL_MODES
    assert str(version) in reply.text
    assert isinstance(end_of(session), RefusedError)


def test_an_extension_that_nobody_knows_is_refused() -> None:
    session = PublisherSession(now=0)
    say(session, commands.DefineOperationalModes(modes=OperationalModes(extension=7)))
    (reply,) = replies(session)
    assert isinstance(reply, responses.Failed)
    assert reply.text.startswith("UNSUPPORTED EXTENSION:")
    assert session.ended


@pytest.mark.parametrize(
    "first",
    [commands.Subscribe(connection_string="a=b"), commands.MetadataRefresh(), commands.Unsubscribe(),
     commands.UnknownCommand(code=0x60, payload=b"")],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_another_first_command_ends_the_session_without_a_word(first: commands.AnyCommand) -> None:
    session = PublisherSession(now=0)
    say(session, first)
    assert session.data_to_send() == []
    assert isinstance(end_of(session), ProtocolError)


def test_a_long_first_command_is_refused_by_its_header() -> None:
    session = PublisherSession(now=0)
    session.receive_data((8198).to_bytes(4, "big"), now=0)
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "first_command"
    session = PublisherSession(now=0)
    session.receive_data((8197).to_bytes(4, "big"), now=0)
    assert not session.ended


def test_commands_may_be_longer_afterwards() -> None:
    session = ready()
    say(session, commands.Subscribe(connection_string="filterExpression={" + "x" * 20_000 + "}"))
    (event,) = session.events()
    assert isinstance(event, SubscribeRequested)
    assert len(event.options.filter_expression) == 20_000
    session.receive_data((17 * 2**20).to_bytes(4, "big"), now=0)
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "command"


def test_http_and_tls_are_not_sttp() -> None:
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", bytes.fromhex("16030100c8010000c40303")):
        session = PublisherSession(now=0)
        session.receive_data(greeting, now=0)
        assert session.ended
        assert session.data_to_send() == []


def test_metadata() -> None:
    session = ready()
    say(session, commands.MetadataRefresh(filter_expression="FILTER MeasurementDetail"))
    assert session.events() == [MetadataRequested(filter_expression="FILTER MeasurementDetail")]
    session.send_metadata(b"<x/>")
    assert replies(session) == [responses.Metadata(document=b"<x/>")]
    say(session, commands.MetadataRefresh())
    session.refuse_metadata("not today")
    assert replies(session) == [responses.Failed(command=Command.METADATA_REFRESH, text="not today")]


def test_subscribe_is_answered_with_a_cache_and_success() -> None:
    session = ready()
    say(session, commands.Subscribe(connection_string="filterExpression={x}"))
    session.accept_subscription(cache(3))
    offered, success = replies(session)
    assert isinstance(offered, responses.UpdateSignalIndexCache)
    assert offered.cache_index == 0
    assert isinstance(success, responses.Succeeded)
    assert "3 signals" in success.text
    assert session.phase is Phase.OFFERED
    assert session.signals is None


def test_no_data_before_the_confirm() -> None:
    session = ready()
    with pytest.raises(UsageError):
        session.send_measurements(columns(1.0))
    say(session, commands.Subscribe(connection_string="filterExpression={x}"))
    offer = cache(3)
    session.accept_subscription(offer)
    with pytest.raises(UsageError):
        session.send_measurements(columns(1.0))
    session.data_to_send(), session.events()
    say(session, commands.ConfirmUpdateSignalIndexCache())
    assert session.events() == [StreamingStarted(signals=offer.signals)]
    session.send_measurements(columns(1.0, 2.0))
    start, packet = replies(session)
    assert start == responses.DataStartTime(ticks=638_000_000_000_000_000)
    assert isinstance(packet, responses.DataPacket)
    assert packet.flags == DataPacketFlags.COMPRESSED
    assert packet.count == 2


def test_version_1_has_neither_index_nor_confirm() -> None:
    modes = OperationalModes(version=1)
    session = ready(modes)
    say(session, commands.Subscribe(connection_string="filterExpression={x}"), modes=modes)
    session.accept_subscription(cache(3))
    offered, _ = replies(session, modes)
    assert isinstance(offered, responses.UpdateSignalIndexCache)
    assert offered.cache_index is None
    assert session.phase is not Phase.CLOSED
    session.send_measurements(columns(1.0))


def test_compact_without_the_tssc_bits() -> None:
    modes = OperationalModes(flags=ModeFlags.EVERYTHING_COMPRESSED & ~ModeFlags.TSSC)
    session = streaming(modes)
    session.send_measurements(columns(1.0))
    _, base_times, packet = replies(session, modes)
    assert isinstance(base_times, responses.UpdateBaseTimes)
    assert isinstance(packet, responses.DataPacket)
    assert packet.flags == DataPacketFlags.COMPACT
    assert len(packet.body) == 13


def test_compact_without_time() -> None:
    modes = OperationalModes(flags=ModeFlags(0))
    session = streaming(modes, "filterExpression={x}; includeTime=0")
    session.send_measurements(columns(1.0))
    _, packet = replies(session, modes)
    assert isinstance(packet, responses.DataPacket)
    assert len(packet.body) == 9


def test_the_second_cache_has_index_1_and_marks_its_packets() -> None:
    session = streaming()
    session.change_signals(cache(2, first=7))
    (offered,) = replies(session)
    assert isinstance(offered, responses.UpdateSignalIndexCache)
    assert offered.cache_index == 1
    session.send_measurements(columns(1.0))
    packets = [reply for reply in replies(session) if isinstance(reply, responses.DataPacket)]
    assert [packet.flags for packet in packets] == [DataPacketFlags.COMPRESSED]
    say(session, commands.ConfirmUpdateSignalIndexCache())
    session.send_measurements(columns(1.0))
    (packet,) = replies(session)
    assert isinstance(packet, responses.DataPacket)
    assert packet.flags == DataPacketFlags.COMPRESSED | DataPacketFlags.CACHE_INDEX
    assert bytes(packet.body[1:3]) == b"\0\0", "the handover is the reset"


def test_of_the_caches_that_wait_only_the_newest_survives() -> None:
    session = streaming()
    for first in (10, 20, 30, 40):
        session.change_signals(cache(1, first))
    assert len(replies(session)) == 1
    say(session, commands.ConfirmUpdateSignalIndexCache())
    (offered,) = replies(session)
    assert isinstance(offered, responses.UpdateSignalIndexCache)
    assert offered.cache_index == 0
    say(session, commands.ConfirmUpdateSignalIndexCache())
    assert replies(session) == []
    assert session.signals == cache(1, 40).signals


def test_a_confirm_of_nothing_has_no_effect() -> None:
    session = streaming()
    before = session.signals
    say(session, *[commands.ConfirmUpdateSignalIndexCache()] * 3)
    assert session.signals is before
    assert session.events() == []


def test_unsubscribe_is_answered_and_stops_the_data() -> None:
    session = streaming()
    say(session, commands.Unsubscribe())
    (reply,) = replies(session)
    assert isinstance(reply, responses.Succeeded)
    assert reply.command == Command.UNSUBSCRIBE
    assert session.events() == [Unsubscribed()]
    assert session.phase is Phase.READY
    assert session.signals is None


def test_unsubscribing_from_nothing_succeeds() -> None:
    session = ready()
    say(session, commands.Unsubscribe())
    (reply,) = replies(session)
    assert isinstance(reply, responses.Succeeded)


def test_a_refused_subscription_leaves_the_earlier_one() -> None:
    session = streaming()
    before = session.signals
    say(session, commands.Subscribe(connection_string="filterExpression={nonsense}"))
    session.refuse_subscription("no")
    assert replies(session) == [responses.Failed(command=Command.SUBSCRIBE, text="no")]
    assert session.signals is before
    session.send_measurements(columns(1.0))


def test_commands_wait_for_the_answer_to_those_before_them() -> None:
    session = ready()
    say(
        session,
        commands.Subscribe(connection_string="filterExpression={a}"),
        commands.Subscribe(connection_string="filterExpression={b}"),
        commands.MetadataRefresh(),
        commands.UserCommand(number=3, payload=b"!"),
    )
    assert kinds(session.events()) == ["SubscribeRequested"]
    session.refuse_subscription("no")
    (second,) = session.events()
    assert isinstance(second, SubscribeRequested)
    assert second.options.filter_expression == "b"
    session.accept_subscription(cache(1))
    assert kinds(session.events()) == ["MetadataRequested"]
    session.send_metadata(b"")
    assert session.events() == [UserCommandReceived(number=3, payload=b"!")]


def test_too_many_waiting_commands_end_the_session() -> None:
    session = ready()
    say(session, *[commands.MetadataRefresh()] * 66)
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "pending_commands"


def test_answers_need_a_question() -> None:
    session = ready()
    with pytest.raises(UsageError):
        session.send_metadata(b"")
    with pytest.raises(UsageError):
        session.refuse_metadata("")
    with pytest.raises(UsageError):
        session.accept_subscription(cache(1))
    with pytest.raises(UsageError):
        session.refuse_subscription("")
    with pytest.raises(UsageError):
        session.change_signals(cache(1))
    assert not session.ended


@pytest.mark.parametrize(
    "string", ["", "filterExpression={x", "x}=y", "a={" * 40 + "}" * 40], ids=["empty", "open", "closed", "deep"]
)
def test_a_bad_connection_string_is_answered_with_failed(string: str) -> None:
    session = ready()
    say(session, commands.Subscribe(connection_string=string))
    (reply,) = replies(session)
    assert isinstance(reply, responses.Failed)
    assert reply.command == Command.SUBSCRIBE
    assert session.phase is Phase.READY


def test_synchronized_is_answered_with_failed() -> None:
    session = ready()
    say(session, commands.Subscribe(flags=DataPacketFlags.SYNCHRONIZED, connection_string="a=b"))
    (reply,) = replies(session)
    assert isinstance(reply, responses.Failed)


@pytest.mark.parametrize(
    "declined",
    [commands.GetPrimaryMetadataSchema(), commands.GetSignalSelectionSchema(),
     commands.PublishCommandMeasurements(payload=b"\0\0\0\0")],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_what_is_not_offered_is_answered_with_failed(declined: commands.AnyCommand) -> None:
    session = ready()
    say(session, declined)
    (reply,) = replies(session)
    assert isinstance(reply, responses.Failed)
    assert reply.command == declined.code
    assert kinds(session.events()) == ["MessageIgnored"]


@pytest.mark.parametrize(
    "ignored",
    [commands.UnknownCommand(code=0x60, payload=b"abc"), commands.UnknownCommand(code=0xFF, payload=b""),
     commands.ConfirmUpdateBaseTimes(), commands.ConfirmUpdateCipherKeys()],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_what_has_no_effect_is_reported_and_not_answered(ignored: commands.AnyCommand) -> None:
    session = ready()
    say(session, ignored)
    assert replies(session) == []
    (event,) = session.events()
    assert isinstance(event, MessageIgnored)
    assert event.message == ignored


def test_the_processing_interval_is_reported_and_answered() -> None:
    session = ready()
    say(session, commands.UpdateProcessingInterval(milliseconds=33))
    assert session.events() == [ProcessingIntervalRequested(milliseconds=33)]
    (reply,) = replies(session)
    assert isinstance(reply, responses.Succeeded)


def test_modes_may_be_repeated_until_something_is_subscribed() -> None:
    session = ready()
    other = OperationalModes(version=3)
    say(session, commands.DefineOperationalModes(modes=other))
    assert session.modes == other
    session = streaming()
    before = session.modes
    say(session, commands.DefineOperationalModes(modes=before))
    (reply,) = replies(session)
    assert isinstance(reply, responses.Succeeded)
    assert session.phase is Phase.OFFERED or session.phase is Phase.STREAMING
    say(session, commands.DefineOperationalModes(modes=other))
    assert isinstance(end_of(session), SequenceError)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x02\0\0", b"\x02\0\0\x03\xe8filterExp"])
def test_a_subscribe_that_cannot_be_read_is_refused_and_costs_nothing(payload: bytes) -> None:
    for session in (ready(), streaming()):
        phase = session.phase
        session.receive_data(write_frame(b"\x02", payload), now=0)
        (reply,) = replies(session)
        assert isinstance(reply, responses.Failed)
        assert (reply.command, bool(reply.text)) == (Command.SUBSCRIBE, True)
        assert session.phase is phase


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\x21"])
def test_a_short_processing_interval_is_refused_and_costs_nothing(payload: bytes) -> None:
    for session in (ready(), streaming()):
        phase = session.phase
        session.receive_data(write_frame(b"\x05", payload), now=0)
        (reply,) = replies(session)
        assert isinstance(reply, responses.Failed)
        assert (reply.command, bool(reply.text)) == (Command.UPDATE_PROCESSING_INTERVAL, True)
        assert session.phase is phase


def test_noop_every_five_seconds_from_the_start() -> None:
    session = PublisherSession(now=100)
    noops = []
    while session.deadline is not None and session.deadline <= 116:
        now = session.deadline
        session.handle_deadline(now=now)
        noops += [now for reply in replies(session) if isinstance(reply, responses.NoOP)]
    assert noops == [105, 110, 115]


def test_a_silent_peer_is_given_up_in_time() -> None:
    session = PublisherSession(now=0)
    session.handle_deadline(now=20)
    assert isinstance(end_of(session), SilenceError)
    assert session.deadline is None


def test_a_subscriber_may_be_silent_once_it_has_spoken() -> None:
    session = ready()
    for now in range(0, 3600, 5):
        session.handle_deadline(now=now)
    assert not session.ended


def test_refusing_the_connection() -> None:
    session = PublisherSession(now=0)
    session.refuse_connection("too many")
    assert replies(session) == [responses.Failed(command=Command.CONNECT, text="too many")]
    assert end_of(session) is None
    with pytest.raises(ClosedError):
        session.refuse_connection("again")


def test_end_of_stream() -> None:
    session = ready()
    session.receive_eof(now=0)
    assert end_of(session) is None
    session = ready()
    session.receive_data(b"\0\0", now=0)
    session.receive_eof(now=0)
    assert isinstance(end_of(session), FrameError)
    session = ready()
    lost = TransportError("reset")
    session.lose(lost, now=0)
    assert end_of(session) is lost


def test_nothing_happens_after_the_end() -> None:
    session = streaming()
    session.close()
    assert end_of(session) is None
    session.close()
    session.receive_data(b"\xff" * 100, now=0)
    session.receive_eof(now=0)
    session.listen(now=0)
    session.handle_deadline(now=1e9)
    assert session.events() == []
    assert session.data_to_send() == []
    assert session.signals is None
    for intent in (
        lambda: session.send_measurements(columns(1.0)),
        session.send_configuration_changed,
        lambda: session.change_signals(cache(1)),
        lambda: session.send_user_response(0, b"", command=0),
        lambda: session.accept_subscription(cache(1)),
    ):
        with pytest.raises(ClosedError):
            intent()


def test_configuration_changed_and_user_responses() -> None:
    session = PublisherSession(now=0)
    with pytest.raises(UsageError):
        session.send_configuration_changed()
    session = ready()
    session.send_configuration_changed()
    session.send_user_response(4, b"ok", command=3)
    assert replies(session) == [
        responses.ConfigurationChanged(),
        responses.UserResponse(number=4, command=Command.USER_COMMAND_03, payload=b"ok"),
    ]
    with pytest.raises(UsageError):
        session.send_user_response(16, b"", command=0)


def test_every_response_stands_alone_in_its_frame() -> None:
    session = streaming()
    session.send_measurements(columns(*range(3)))
    for frame in session.data_to_send():
        length = int.from_bytes(frame[:4], "big")
        assert len(frame) == 4 + length
        assert int.from_bytes(frame[6:10], "big") == length - 6


def test_large_batches_are_split_into_packets() -> None:
    count = 20_000
    random = np.random.default_rng(1)
    large = Columns(
        np.zeros(count, np.int32),
        random.integers(0, 2**60, count),
        np.zeros(count, np.uint32),
        random.random(count, np.float32),
    )
    for modes in (MODES, OperationalModes(flags=ModeFlags(0))):
        pair = Pair(modes)
        pair.stream(cache(1))
        pair.publisher.send_measurements(large)
        frames = pair.publisher.data_to_send()
        assert len(frames) > 8
        assert max(map(len, frames)) <= 4 + 6 + 5 + 3 + 32768
        pair.subscriber.receive_data(b"".join(frames), now=0)
        pair.exchange()
        assert pair.received() == rows(large)


def test_empty_frames_are_skipped() -> None:
    session = ready()
    session.receive_data(bytes(400) + write_frame(bytes([Command.UNSUBSCRIBE])), now=0)
    assert kinds(session.events()) == ["Unsubscribed"]


def test_nothing_to_send_for_an_empty_batch() -> None:
    session = streaming()
    session.send_measurements(Columns.empty())
    assert session.data_to_send() == []


def test_notifications_and_their_confirmation() -> None:
    session = ready()
    digest = session.send_notification("Maintenance at noon.")
    (notice,) = replies(session)
    assert notice == responses.Notify(hash=digest, text="Maintenance at noon.")
    assert session.send_notification("Maintenance is over.") != digest
    say(session, commands.ConfirmNotification(hash=digest))
    assert session.events() == [NotificationConfirmed(hash=digest)]
    with pytest.raises(UsageError, match="has not defined"):
        PublisherSession(now=0).send_notification("too early")


def test_buffer_blocks_are_numbered_by_subscription_and_name_their_cache() -> None:
    session = streaming()
    assert session.send_buffer_block(1, b"first") == 0
    assert session.send_buffer_block(2, b"second", confirm=False) == 1
    first, second = replies(session)
    wanted = responses.BufferBlockFlags.REQUIRE_CONFIRMATION
    assert first == responses.BufferBlock(sequence=0, flags=wanted, signal_index=1, payload=b"first")
    assert second == responses.BufferBlock(sequence=1, signal_index=2, payload=b"second")
    say(session, commands.ConfirmBufferBlock(sequence=0))
    assert session.events() == [BufferBlockConfirmed(sequence=0)]
    session.change_signals(cache(2))
    say(session, commands.ConfirmUpdateSignalIndexCache())
    session.data_to_send()
    session.send_buffer_block(0, b"third")
    (third,) = replies(session)
    assert isinstance(third, responses.BufferBlock)
    assert (third.sequence, third.flags) == (2, wanted | responses.BufferBlockFlags.CACHE_INDEX)
    for index in (-1, 2):
        with pytest.raises(UsageError, match="no signal in force"):
            session.send_buffer_block(index, b"")


def test_cipher_keys_are_asked_for_and_rotated() -> None:
    session = streaming()
    say(session, commands.RotateCipherKeys(), commands.UpdateProcessingInterval(milliseconds=1))
    assert session.events() == [CipherKeysRequested()]
    session.rotate_cipher_keys()
    first, success, behind = replies(session)
    assert isinstance(first, responses.UpdateCipherKeys)
    assert first.active == 0
    assert success == responses.Succeeded(command=Command.ROTATE_CIPHER_KEYS, text="New cipher keys established.")
    assert isinstance(behind, responses.Succeeded)
    assert behind.command == Command.UPDATE_PROCESSING_INTERVAL

    session.rotate_cipher_keys()  # the application may do so unasked
    (second,) = replies(session)
    assert isinstance(second, responses.UpdateCipherKeys)
    assert second.active == 1
    assert (second.odd_key, second.odd_iv) == (first.odd_key, first.odd_iv)
    assert second.even_key != first.even_key

    session.rotate_cipher_keys()
    (third,) = replies(session)
    assert isinstance(third, responses.UpdateCipherKeys)
    assert (third.active, third.even_key) == (0, second.even_key)
    assert third.odd_key != second.odd_key


def test_cipher_keys_can_be_refused() -> None:
    session = ready()
    say(session, commands.RotateCipherKeys())
    session.refuse_cipher_keys("use TLS")
    assert replies(session) == [responses.Failed(command=Command.ROTATE_CIPHER_KEYS, text="use TLS")]
    with pytest.raises(UsageError, match="no unanswered CipherKeysRequested"):
        session.refuse_cipher_keys("again")


def test_the_end_of_a_replay() -> None:
    session = streaming()
    session.complete_processing("archive")
    assert replies(session) == [responses.ProcessingComplete(text="archive")]
    with pytest.raises(UsageError, match="signals are in force"):
        ready().complete_processing()


@pytest.mark.parametrize("flags", [ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED])
def test_values_that_are_not_a_number_are_left_out_on_request(flags: ModeFlags) -> None:
    modes = OperationalModes(flags=flags)
    session = streaming(modes, "filterExpression={x}; requestNaNValueFilter=1")
    session.send_measurements(columns(np.nan, np.nan, np.nan))
    assert replies(session, modes) == []
    session.send_measurements(columns(1.0, np.nan, np.inf))
    *_, packet = replies(session, modes)
    assert isinstance(packet, responses.DataPacket)
    assert packet.count == 2


def test_a_bad_command_that_waited_ends_the_session_when_its_turn_comes() -> None:
    session = ready()
    say(session, commands.MetadataRefresh(), commands.UnknownCommand(code=Command.DEFINE_OPERATIONAL_MODES))
    assert not session.ended
    session.send_metadata(b"<x/>")
    assert [type(reply) for reply in replies(session)] == [responses.Metadata]
    assert isinstance(end_of(session), MessageError)


def test_connect_means_nothing_as_a_command() -> None:
    session = ready()
    say(session, commands.UnknownCommand(code=Command.CONNECT))
    (event,) = session.events()
    assert isinstance(event, MessageIgnored)
    assert replies(session) == []


def test_confirmations_do_not_wait_and_do_not_count_as_waiting() -> None:
    session = ready()
    say(session, commands.MetadataRefresh(), *[commands.ConfirmBufferBlock(sequence=number) for number in range(1000)])
    assert not session.ended
    assert kinds(session.events()) == ["MetadataRequested"] + ["BufferBlockConfirmed"] * 1000
