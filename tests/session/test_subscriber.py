"""The subscriber session, driven by raw responses and by a publisher session."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from session_pair import Pair, cache, kinds, rows, signals
from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes
from sttp.errors import (
    ClosedError,
    FrameError,
    LimitError,
    MessageError,
    ProtocolError,
    RefusedError,
    SilenceError,
    TransportError,
    UsageError,
)
from sttp.limits import Limits
from sttp.measurement import Columns
from sttp.session import Phase, SubscriberConfig, SubscriberSession
from sttp.session.events import (
    BaseTimesUpdated,
    BufferBlockReceived,
    CipherKeysUpdated,
    CommandFailed,
    CommandSucceeded,
    ConfigurationChanged,
    DataStarts,
    Ended,
    MeasurementsReceived,
    MessageIgnored,
    MetadataReceived,
    MetadataRefused,
    ModesAccepted,
    NotificationReceived,
    PacketDropped,
    ProcessingCompleted,
    PublisherProved,
    SignalsChanged,
    SubscriptionAccepted,
    SubscriptionRefused,
    UserResponseReceived,
)
from sttp.wire import commands, responses
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.compact import TimeFormat, write_compact
from sttp.wire.frame import FrameReader
from sttp.wire.responses import BufferBlockFlags
from sttp.wire.signal_index_cache import write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscBlock, TsscEncoder, write_tssc_payload

MODES = OperationalModes()
OPTIONS = SubscriptionOptions(filter_expression="everything")
T = 638_000_000_000_000_000


def columns(*values: float, ticks: int = T) -> Columns:
    count = len(values)
    return Columns(
        np.arange(count, dtype=np.int32),
        np.full(count, ticks, np.int64),
        np.zeros(count, np.uint32),
        np.array(values, np.float32),
    )


def hear(
    session: SubscriberSession, *said: responses.AnyResponse, modes: OperationalModes = MODES, now: float = 0
) -> None:
    session.receive_data(b"".join(responses.write_response(response, modes) for response in said), now=now)


def said(session: SubscriberSession) -> list[commands.AnyCommand]:
    reader = FrameReader(1 << 30)
    reader.feed(b"".join(session.data_to_send()))
    return [commands.read_command(frame, MODES) for frame in reader.frames()]


def offer(
    index: int, count: int = 3, first: int = 1, modes: OperationalModes = MODES
) -> responses.UpdateSignalIndexCache:
    return responses.UpdateSignalIndexCache(
        cache_index=index if modes.double_buffered else None,
        image=write_signal_index_cache(cache(count, first), modes),
    )


def tssc(block: TsscBlock, slot: int = 0) -> responses.DataPacket:
    flags = DataPacketFlags.COMPRESSED | (DataPacketFlags.CACHE_INDEX if slot else DataPacketFlags(0))
    return responses.DataPacket(flags=flags, count=block.count, body=write_tssc_payload(block))


def compact(content: Columns, slot: int = 0) -> responses.DataPacket:
    ((count, body),) = write_compact(content, TimeFormat(), None)
    flags = DataPacketFlags.COMPACT | (DataPacketFlags.CACHE_INDEX if slot else DataPacketFlags(0))
    return responses.DataPacket(flags=flags, count=count, body=body)


def started(config: SubscriberConfig | None = None) -> SubscriberSession:
    session = SubscriberSession(config or SubscriberConfig(), now=0)
    session.data_to_send()
    return session


def streaming(config: SubscriberConfig | None = None) -> SubscriberSession:
    session = started(config)
    session.subscribe(OPTIONS)
    hear(session, offer(0), responses.Succeeded(command=Command.SUBSCRIBE, text=""))
    session.data_to_send(), session.events()
    return session


def measurements(session: SubscriberSession) -> list[tuple[int, int, int, int]]:
    return [row for event in session.events() if isinstance(event, MeasurementsReceived) for row in rows(event.columns)]


def end_of(session: SubscriberSession) -> BaseException | None:
    (end,) = [event for event in session.events() if isinstance(event, Ended)]
    return end.error


def test_it_speaks_first() -> None:
    session = SubscriberSession(now=0)
    assert b"".join(session.data_to_send()) == bytes.fromhex("00 00 00 05 06 E0 00 02 62")
    assert session.phase is Phase.READY


def test_versions_1_and_2_go_on_without_an_answer() -> None:
    for version in (1, 2):
        session = SubscriberSession(SubscriberConfig(modes=OperationalModes(version=version)), now=0)
        session.refresh_metadata()
        session.subscribe(OPTIONS)
        assert [type(command) for command in said(session)] == [
            commands.DefineOperationalModes,
            commands.MetadataRefresh,
            commands.Subscribe,
        ]


def test_version_3_waits_for_the_answer() -> None:
    session = SubscriberSession(SubscriberConfig(modes=OperationalModes(version=3)), now=0)
    session.refresh_metadata()
    assert [type(command) for command in said(session)] == [commands.DefineOperationalModes]
    hear(session, responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="fine"))
    assert session.events() == [PublisherProved(), ModesAccepted(text="fine")]
    assert said(session) == [commands.MetadataRefresh()]


def test_version_3_gives_up_without_an_answer() -> None:
    session = SubscriberSession(SubscriberConfig(modes=OperationalModes(version=3), silence_timeout=100), now=0)
    session.handle_deadline(now=30)
    error = end_of(session)
    assert isinstance(error, SilenceError)
    assert "version 2" in str(error)


@pytest.mark.parametrize(
    "first",
    [responses.NoOP(), responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES), responses.Metadata(document=b""),
     responses.ConfigurationChanged()],
    ids=lambda first: type(first).__name__,
)  # fmt: skip
def test_the_first_valid_response_proves_the_publisher(first: responses.AnyResponse) -> None:
    session = started()
    hear(session, first)
    assert session.events()[0] == PublisherProved()
    hear(session, first)
    assert PublisherProved() not in session.events(), "once"


def test_a_refusal_and_what_nobody_asked_for_prove_nothing() -> None:
    session = started()
    hear(session, responses.Failed(command=Command.METADATA_REFRESH, text="no"))
    hear(session, responses.DataStartTime(ticks=T), offer(0))
    assert PublisherProved() not in session.events()


def test_too_many_caches_at_once_end_the_session() -> None:
    session = streaming()
    for index in range(100):
        hear(session, offer(index % 2))
    assert not session.ended, "each of them could be confirmed before the next came"
    hear(session, *(offer(index % 2) for index in range(16)))
    assert not session.ended
    session.events()
    hear(session, *(offer(index % 2) for index in range(17)))
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "pending_caches"


@pytest.mark.parametrize("command", [Command.CONNECT, Command.DEFINE_OPERATIONAL_MODES])
def test_a_refusal_ends_the_session(command: Command) -> None:
    session = started()
    session.subscribe(OPTIONS)
    hear(session, responses.Failed(command=command, text="too many"))
    error = end_of(session)
    assert isinstance(error, RefusedError)
    assert error.reason == "too many"


def test_metadata_plain_gzipped_and_empty() -> None:
    for document in (b"<x/>", gzip.compress(b"<x/>")):
        session = started()
        session.refresh_metadata()
        hear(session, responses.Metadata(document=document))
        assert session.events() == [PublisherProved(), MetadataReceived(document=b"<x/>")]
    session.refresh_metadata("FILTER DeviceDetail")
    assert said(session)[-1] == commands.MetadataRefresh(filter_expression="FILTER DeviceDetail")
    hear(session, responses.Metadata(document=b""))
    assert session.events() == [MetadataReceived(document=b"")]


def test_metadata_bombs_are_refused() -> None:
    limits = Limits(metadata=1000)
    session = started(SubscriberConfig(limits=limits))
    session.refresh_metadata()
    hear(session, responses.Metadata(document=gzip.compress(bytes(10_000_000))))
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "metadata"


def test_one_metadata_refresh_at_a_time() -> None:
    session = started()
    session.refresh_metadata("a")
    session.refresh_metadata("b")
    assert said(session) == [commands.MetadataRefresh(filter_expression="a")]
    hear(session, responses.Failed(command=Command.METADATA_REFRESH, text="no"))
    assert session.events() == [MetadataRefused(reason="no")]
    assert said(session) == [commands.MetadataRefresh(filter_expression="b")]


def test_metadata_without_answer_is_given_up() -> None:
    session = started()
    session.refresh_metadata()
    for now in range(5, 31, 5):
        hear(session, responses.NoOP(), now=now)
    session.handle_deadline(now=30)
    assert kinds(session.events()) == ["PublisherProved", "MetadataRefused"]
    session.subscribe(OPTIONS)
    assert isinstance(said(session)[-1], commands.Subscribe)


def test_metadata_that_is_under_way_is_waited_for() -> None:
    session = started()
    session.refresh_metadata()
    data = responses.write_response(responses.Metadata(document=b"x" * 20_000), MODES)
    session.receive_data(data[:10_000], now=25)
    session.handle_deadline(now=30)
    assert session.events() == []
    session.receive_data(data[10_000:], now=31)
    assert kinds(session.events()) == ["PublisherProved", "MetadataReceived"]


def test_a_cache_is_confirmed_and_announced() -> None:
    session = started()
    session.subscribe(OPTIONS)
    session.data_to_send()
    hear(session, offer(0))
    proof, event = session.events()
    assert isinstance(proof, PublisherProved)
    assert isinstance(event, SignalsChanged)
    assert event.signals == signals(3)
    assert said(session) == [commands.ConfirmUpdateSignalIndexCache()]
    assert session.phase is Phase.STREAMING


def test_success_may_come_before_or_after_the_cache() -> None:
    success = responses.Succeeded(command=Command.SUBSCRIBE, text="ok")
    for order in ((success, offer(0)), (offer(0), success)):
        session = started()
        session.subscribe(OPTIONS)
        hear(session, *order, compact(columns(1.0)))
        events = session.events()
        assert SubscriptionAccepted(text="ok") in events
        assert kinds(events)[-1] == "MeasurementsReceived"


def test_a_refused_subscription_can_be_tried_again() -> None:
    session = started()
    session.subscribe(OPTIONS)
    session.subscribe(OPTIONS)
    assert len(said(session)) == 1, "one at a time"
    hear(session, responses.Failed(command=Command.SUBSCRIBE, text="bad"))
    assert session.events() == [SubscriptionRefused(reason="bad")]
    assert len(said(session)) == 1
    assert session.phase is Phase.SUBSCRIBING


def test_subscribe_without_answer_ends_the_session() -> None:
    session = started(SubscriberConfig(silence_timeout=100))
    session.subscribe(OPTIONS)
    session.handle_deadline(now=30)
    assert isinstance(end_of(session), SilenceError)


def test_silence_is_noticed_and_any_byte_counts() -> None:
    session = started()
    session.receive_data(b"\0", now=15)
    session.handle_deadline(now=20)
    assert not session.ended
    session.handle_deadline(now=35)
    assert isinstance(end_of(session), SilenceError)


def test_nobody_is_silent_while_nobody_listens() -> None:
    session = started()
    session.listen(now=100)
    session.handle_deadline(now=119)
    assert not session.ended


def test_all_packets_of_one_read_are_one_batch() -> None:
    session = streaming()
    encoder = TsscEncoder()
    parts = [columns(1.0, 2.0, float(k), ticks=T + k) for k in range(5)]
    packets = [tssc(block) for part in parts for block in encoder.encode(part)]
    hear(session, *packets)
    (event,) = session.events()
    assert isinstance(event, MeasurementsReceived)
    assert event.packets == 5
    assert rows(event.columns) == [row for part in parts for row in rows(part)]
    assert event.size == sum(len(responses.write_response(packet, MODES)) for packet in packets)


def test_measurements_before_an_error_are_delivered() -> None:
    session = streaming()
    data = responses.write_response(compact(columns(1.0, 2.0)), MODES)
    session.receive_data(data + b"\xff\xff\xff\xff", now=0)
    events = session.events()
    assert kinds(events) == ["MeasurementsReceived", "Ended"]


def test_both_slots_at_once_never_mislabel() -> None:
    session = streaming()
    hear(session, offer(1, count=3, first=100))
    (changed,) = session.events()
    assert isinstance(changed, SignalsChanged)
    hear(session, compact(columns(1.0)), compact(columns(2.0), slot=1), compact(columns(3.0)))
    labels = [event.signals[0].signal_id.int for event in session.events() if isinstance(event, MeasurementsReceived)]
    assert labels == [1, 100, 1]


def test_a_packet_for_an_empty_slot_is_dropped() -> None:
    session = streaming()
    hear(session, compact(columns(1.0, 2.0), slot=1))
    (event,) = session.events()
    assert isinstance(event, PacketDropped)
    assert event.count == 2
    assert not session.ended


def test_version_1_knows_one_slot() -> None:
    modes = OperationalModes(version=1)
    session = started(SubscriberConfig(modes=modes))
    session.subscribe(OPTIONS)
    session.data_to_send()
    hear(session, offer(0, modes=modes), compact(columns(1.0), slot=1), modes=modes)
    assert kinds(session.events()) == ["PublisherProved", "SignalsChanged", "MeasurementsReceived"]
    assert session.data_to_send() == [], "there is nothing to confirm"


def test_out_of_sequence_waits_for_a_reset() -> None:
    session = streaming()
    encoder = TsscEncoder()
    first, second, third = (encoder.encode(columns(float(k)))[0] for k in range(3))
    hear(session, tssc(first), tssc(third), now=1)
    assert kinds(session.events()) == ["MeasurementsReceived", "PacketDropped"]
    hear(session, tssc(second), now=2)
    hear(session, *(tssc(block) for block in TsscEncoder().encode(columns(9.0))), now=3)
    assert measurements(session)
    session.handle_deadline(now=10)
    assert not session.ended


def test_out_of_step_for_long_ends_the_session() -> None:
    session = streaming()
    encoder = TsscEncoder()
    encoder.encode(columns(0.0))
    for now in range(1, 6):
        hear(session, *(tssc(block) for block in encoder.encode(columns(float(now)))), now=now)
    session.handle_deadline(now=6)
    assert isinstance(end_of(session), ProtocolError)


@pytest.mark.parametrize("damage", [b"", b"\x54\0\0", b"\x55\0", b"\x55\0\0\xff\xff\xff"])
def test_damaged_tssc_costs_the_packet(damage: bytes) -> None:
    session = streaming()
    hear(session, responses.DataPacket(flags=DataPacketFlags.COMPRESSED, count=2, body=damage))
    assert kinds(session.events()) == ["PacketDropped"]
    hear(session, *(tssc(block) for block in TsscEncoder().encode(columns(9.0))))
    assert len(measurements(session)) == 1


def test_records_with_unknown_indexes_are_skipped() -> None:
    session = streaming()
    content = Columns(
        np.array([0, 0x7FFFFFFF, 2], np.int32), np.full(3, T), np.zeros(3, np.uint32), np.ones(3, np.float32)
    )
    hear(session, compact(content))
    dropped, received = session.events()
    assert isinstance(dropped, PacketDropped)
    assert dropped.count == 1
    assert isinstance(received, MeasurementsReceived)
    assert received.columns.signal_index.tolist() == [0, 2]


@pytest.mark.parametrize("count", [0, 1, 3, 2**18])
def test_a_count_that_lies_ends_the_session(count: int) -> None:
    session = streaming()
    body = bytes(compact(columns(1.0, 2.0)).body)
    hear(session, responses.DataPacket(flags=DataPacketFlags.COMPACT, count=count, body=body))
    assert isinstance(end_of(session), MessageError)


@pytest.mark.parametrize("count", [-1, 2**18 + 1, 2**31 - 1])
def test_a_count_that_cannot_be_ends_the_session(count: int) -> None:
    session = streaming()
    payload = struct.pack(">Bi", DataPacketFlags.COMPRESSED, count) + bytes(20)
    session.receive_data(struct.pack(">IBBi", len(payload) + 6, 0x82, 2, len(payload)) + payload, now=0)
    assert isinstance(end_of(session), ProtocolError)


def test_unsubscribe_drops_what_is_under_way() -> None:
    session = streaming()
    session.unsubscribe()
    hear(session, compact(columns(1.0)))
    assert session.events() == []
    hear(session, responses.Succeeded(command=Command.UNSUBSCRIBE, text=""))
    assert session.phase is Phase.READY
    hear(session, compact(columns(1.0)))
    assert session.events() == []


def test_subscribing_again_waits_for_the_end_of_unsubscribing() -> None:
    session = streaming()
    session.unsubscribe()
    session.subscribe(OPTIONS)
    assert said(session) == [commands.Unsubscribe()]
    hear(session, responses.Succeeded(command=Command.UNSUBSCRIBE, text=""))
    assert isinstance(said(session)[0], commands.Subscribe)
    hear(session, compact(columns(1.0)))
    assert kinds(session.events()) == ["PacketDropped"], "the old caches are gone"


def test_cppapi_does_not_answer_unsubscribe() -> None:
    session = streaming()
    session.unsubscribe()
    session.subscribe(OPTIONS)
    session.handle_deadline(now=1)
    assert isinstance(said(session)[-1], commands.Subscribe)
    hear(session, responses.Succeeded(command=Command.UNSUBSCRIBE, text="late"), now=1)
    assert session.phase is Phase.SUBSCRIBING


def test_a_late_cache_is_confirmed_and_not_used() -> None:
    session = streaming()
    session.unsubscribe()
    session.data_to_send()
    hear(session, offer(1))
    assert said(session) == [commands.ConfirmUpdateSignalIndexCache()]
    assert session.events() == []


def test_other_responses_arrive_as_events() -> None:
    session = streaming()
    hear(
        session,
        responses.UpdateBaseTimes(active=1, times=(T, T + 1)),
        responses.DataStartTime(ticks=T),
        responses.ProcessingComplete(text="done"),
        responses.ConfigurationChanged(),
        responses.Notify(hash=b"\xde\xad\xbe\xef", text="hi"),
        responses.BufferBlock(
            sequence=0, flags=BufferBlockFlags.REQUIRE_CONFIRMATION, signal_index=1, payload=b"HELLO"
        ),
        responses.BufferBlock(sequence=1, signal_index=7, payload=b"quiet"),
        responses.UserResponse(number=1, command=0xD1, payload=b"ok"),
        responses.NoOP(),
    )
    assert session.events() == [
        BaseTimesUpdated(active=1, times=(T, T + 1)),
        DataStarts(ticks=T),
        ProcessingCompleted(text="done"),
        ConfigurationChanged(),
        NotificationReceived(text="hi"),
        BufferBlockReceived(sequence=0, signal=signals(3)[1], payload=b"HELLO"),
        BufferBlockReceived(sequence=1, signal=None, payload=b"quiet"),
        UserResponseReceived(number=1, command=0xD1, payload=b"ok"),
    ]
    assert said(session) == [
        commands.ConfirmNotification(hash=b"\xde\xad\xbe\xef"),
        commands.ConfirmBufferBlock(sequence=0),
    ]


@pytest.mark.parametrize(
    "response",
    [
        responses.UnknownResponse(code=0x77, payload=b"abc"),
        responses.UnknownResponse(code=0x00),
        responses.Succeeded(command=Command.CONNECT, text=""),
    ],
    ids=str,
)
def test_what_means_nothing_is_reported(response: responses.AnyResponse) -> None:
    session = streaming()
    hear(session, response)
    (event,) = session.events()
    assert isinstance(event, MessageIgnored)
    assert not session.ended


def test_answers_to_other_commands_are_told() -> None:
    session = streaming()
    hear(
        session,
        responses.Failed(command=Command.ROTATE_CIPHER_KEYS, text="no"),
        responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="as you like"),
        responses.UnknownResponse(code=0x80, command=0x99, payload=b"?"),
    )
    assert session.events() == [
        CommandFailed(command=Command.ROTATE_CIPHER_KEYS, reason="no"),
        CommandSucceeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="as you like"),
        CommandSucceeded(command=0x99, text="?"),
    ]


def test_encrypted_payloads_are_decrypted_and_a_wrong_key_ends_the_session() -> None:
    even, odd = CipherKey.fresh(), CipherKey.fresh()
    keys = responses.UpdateCipherKeys(active=1, even_key=even.key, even_iv=even.iv, odd_key=odd.key, odd_iv=odd.iv)
    cipher = DataCipher()
    cipher.keys, cipher.active = (even, odd), 1
    secret = responses.write_response(compact(columns(2.0)), MODES, cipher)
    session = streaming()
    hear(session, compact(columns(1.0)), keys)
    session.receive_data(secret, now=0)
    plain, updated, decrypted = session.events()
    assert isinstance(plain, MeasurementsReceived)
    assert updated == CipherKeysUpdated(active=1)
    assert isinstance(decrypted, MeasurementsReceived)
    assert decrypted.columns.value.tolist() == [2.0]
    hear(session, compact(columns(3.0)))
    assert isinstance(end_of(session), MessageError)


def test_buffer_blocks_are_inflated_up_to_a_limit() -> None:
    session = streaming(SubscriberConfig(limits=Limits(buffer_block=1000)))
    for size in (1000, 1001):
        block = responses.BufferBlock(
            sequence=0, flags=BufferBlockFlags.COMPRESSED, signal_index=0, payload=gzip.compress(bytes(size))
        )
        hear(session, block)
    inflated, end = session.events()
    assert isinstance(inflated, BufferBlockReceived)
    assert inflated.payload == bytes(1000)
    assert isinstance(end, Ended)
    assert isinstance(end.error, LimitError)


def test_base_times_are_used() -> None:
    session = streaming()
    hear(session, responses.UpdateBaseTimes(active=0, times=(T, 0)))
    body = struct.pack(">BifI", 0x40, 0, 59.95, 150_000)
    hear(session, responses.DataPacket(flags=DataPacketFlags.COMPACT, count=1, body=body))
    ((index, ticks, _, _),) = measurements(session)
    assert (index, ticks) == (0, T + 150_000)


def test_several_responses_in_one_frame() -> None:
    session = streaming()
    bodies = [responses.write_response(response, MODES)[4:] for response in (responses.NoOP(), compact(columns(5.0)))]
    body = b"".join(bodies)
    session.receive_data(len(body).to_bytes(4, "big") + body, now=0)
    assert len(measurements(session)) == 1


def test_a_long_first_response_is_refused_unless_it_is_metadata() -> None:
    session = started()
    session.receive_data(struct.pack(">IBBi", 9000, 0x82, 2, 8994), now=0)
    error = end_of(session)
    assert isinstance(error, LimitError)
    assert error.limit == "first_response"

    session = started()
    session.refresh_metadata()
    session.receive_data(struct.pack(">IBBi", 9000, 0x80, 1, 8994), now=0)
    assert not session.ended

    session = streaming()
    session.receive_data(struct.pack(">IBBi", 9000, 0x82, 2, 8994), now=0)
    assert not session.ended


def test_http_and_tls_are_not_sttp() -> None:
    for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes.fromhex("15030300020246")):
        session = started()
        session.receive_data(greeting, now=0)
        assert session.ended


@pytest.mark.parametrize("inner", [-1, 5, 2**31 - 1])
def test_an_inner_length_that_lies_ends_the_session(inner: int) -> None:
    session = streaming()
    session.receive_data(struct.pack(">IBBi", 6, 0xFF, 2, inner), now=0)
    assert isinstance(end_of(session), FrameError)


def test_end_of_stream() -> None:
    session = streaming()
    session.receive_eof(now=0)
    assert end_of(session) is None
    session = streaming()
    session.receive_data(b"\0\0\0\x06\xff", now=0)
    session.receive_eof(now=0)
    assert isinstance(end_of(session), FrameError)
    session = streaming()
    session.lose(TransportError("reset"), now=0)
    assert isinstance(end_of(session), TransportError)


def test_nothing_is_intended_after_the_end() -> None:
    session = streaming()
    session.close()
    for intent in (
        lambda: session.subscribe(OPTIONS),
        session.unsubscribe,
        session.refresh_metadata,
        lambda: session.send_user_command(0, b""),
    ):
        with pytest.raises(ClosedError):
            intent()


def test_user_commands_are_sent() -> None:
    session = streaming()
    session.send_user_command(2, b"\1\2")
    assert said(session) == [commands.UserCommand(number=2, payload=b"\1\2")]


# --- with a publisher session at the other end


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("flags", [ModeFlags.EVERYTHING_COMPRESSED, ModeFlags(0)])
@pytest.mark.parametrize("cut", [1, 7, 1 << 20])
def test_a_conversation_from_modes_to_measurements(version: int, flags: ModeFlags, cut: int) -> None:
    pair = Pair(OperationalModes(version=version, flags=flags), cut=cut)
    pair.accept_everything(cache(3))
    pair.subscriber.refresh_metadata()
    pair.subscriber.subscribe(OPTIONS)
    pair.exchange()
    sent = [columns(1.5, -0.0, float("nan"), ticks=T + k) for k in range(3)]
    for part in sent:
        pair.publisher.send_measurements(part)
        pair.exchange()
    assert pair.received() == [row for part in sent for row in rows(part)]
    assert pair.publisher.phase is pair.subscriber.phase is Phase.STREAMING


def test_a_handover_while_data_flows() -> None:
    for flags in (ModeFlags.EVERYTHING_COMPRESSED, ModeFlags(0)):
        pair = Pair(OperationalModes(flags=flags))
        pair.stream(cache(3))
        pair.publisher.send_measurements(columns(1.0))
        pair.publisher.change_signals(cache(3, first=50))
        pair.publisher.send_measurements(columns(2.0))  # still with the old cache
        pair.exchange()
        pair.publisher.send_measurements(columns(3.0))
        pair.exchange()
        labelled = [
            (event.signals[int(index)].signal_id.int, float(value))
            for event in pair.subscribed
            if isinstance(event, MeasurementsReceived)
            for index, value in zip(event.columns.signal_index, event.columns.value, strict=True)
        ]
        assert labelled == [(1, 1.0), (1, 2.0), (50, 3.0)]


def test_unsubscribe_and_subscribe_start_anew() -> None:
    pair = Pair()
    pair.stream(cache(3))
    pair.publisher.send_measurements(columns(1.0))
    pair.exchange()
    pair.accept_everything(cache(3, first=9))
    pair.subscriber.unsubscribe()
    pair.subscriber.subscribe(OPTIONS)
    pair.exchange()
    pair.publisher.send_measurements(columns(2.0))
    pair.exchange()
    last = [event for event in pair.subscribed if isinstance(event, MeasurementsReceived)][-1]
    assert last.signals == signals(3, 9)


def test_a_live_publisher_is_never_silent() -> None:
    pair = Pair()
    pair.stream(cache(3))
    pair.wait(600)
    assert not pair.subscriber.ended
    assert not pair.publisher.ended


def test_an_unsubscribe_that_failed_is_an_end_too() -> None:
    session = streaming()
    session.unsubscribe()
    session.subscribe(OPTIONS)
    session.data_to_send()
    hear(session, responses.Failed(command=Command.UNSUBSCRIBE, text="not subscribed"))
    assert [type(command) for command in said(session)] == [commands.Subscribe]


def test_out_of_step_ends_with_the_cache_that_was() -> None:
    session = streaming()
    encoder = TsscEncoder()
    first, lost, late = (encoder.encode(columns(number))[0] for number in (1.0, 2.0, 3.0))
    hear(session, tssc(first), tssc(late))
    assert lost.sequence == 1
    hear(session, offer(1))
    for now in (4.0, 8.0):
        hear(session, responses.NoOP(), now=now)
        session.handle_deadline(now=now)
    assert not session.ended


def test_base_times_and_the_start_of_data_may_come_before_the_cache() -> None:
    session = started(SubscriberConfig(modes=OperationalModes(flags=ModeFlags(0))))
    session.subscribe(OPTIONS)
    plain = OperationalModes(flags=ModeFlags(0))
    hear(session, responses.UpdateBaseTimes(active=0, times=(T, 0)), responses.DataStartTime(ticks=T), modes=plain)
    hear(session, offer(0, modes=plain), modes=plain)
    body = struct.pack(">BifI", 0x40, 0, 59.95, 150_000)
    hear(session, responses.DataPacket(flags=DataPacketFlags.COMPACT, count=1, body=body), modes=plain)
    assert kinds(session.events())[:3] == ["PublisherProved", "BaseTimesUpdated", "DataStarts"]
    session = started()
    hear(session, responses.UpdateBaseTimes(active=0, times=(T, 0)))  # nothing has been asked for
    assert kinds(session.events()) == ["MessageIgnored"]


def test_what_cannot_be_sent_changes_nothing() -> None:
    session = started()
    for intend in (
        lambda: session.refresh_metadata("\ud800"),
        lambda: session.subscribe(SubscriptionOptions(filter_expression="\ud800")),
        lambda: session.subscribe(SubscriptionOptions(filter_expression="{")),
        lambda: session.update_processing_interval(2**31),
        lambda: session.send_user_command(16, b""),
    ):
        with pytest.raises(UsageError):
            intend()
    assert session.phase is Phase.READY
    assert not session.has_data_to_send
    session.refresh_metadata()
    session.subscribe(OPTIONS)
    assert [type(command) for command in said(session)] == [commands.MetadataRefresh, commands.Subscribe]


def test_nobody_is_late_with_an_answer_while_nobody_listens() -> None:
    session = started()
    session.subscribe(OPTIONS)
    session.listen(now=29)
    session.handle_deadline(now=31)
    assert not session.ended
    session.listen(now=31)
    for now in range(32, 59, 9):
        hear(session, responses.NoOP(), now=now)
    session.handle_deadline(now=61)
    assert isinstance(end_of(session), SilenceError)


def test_a_long_first_response_is_refused_also_when_it_comes_at_once() -> None:
    long = responses.UnknownResponse(code=0x8F, payload=bytes(9000))
    for opening in ([], [responses.UnknownResponse(code=0x8F)]):
        session = started()
        hear(session, *opening, long)
        assert isinstance(end_of(session), LimitError)
    session = started()
    hear(session, responses.NoOP(), long)
    assert not session.ended
