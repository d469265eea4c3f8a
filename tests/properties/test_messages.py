"""Commands, responses and what they carry: there and back again, and nothing but documented errors."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar
from uuid import UUID

import construct
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes, Response, TextEncoding
from sttp.errors import ProtocolError
from sttp.limits import Limits
from sttp.measurement import SignalTable
from sttp.tolerances import DEFAULT_TOLERANCES, STRICT, Tolerances
from sttp.wire import commands as c
from sttp.wire import responses as r
from sttp.wire.data_packet import DATA_PACKET, read_data_packet, write_data_packet
from sttp.wire.fields import deflate, deflate_pieces, inflate
from sttp.wire.frame import FRAME, FrameReader, write_frame
from sttp.wire.signal_index_cache import (
    SIGNAL_INDEX_CACHE,
    SignalIndexCache,
    read_signal_index_cache,
    write_signal_index_cache,
)
from sttp.wire.subscription import SubscriptionOptions, format_connection_string, parse_connection_string

P = ParamSpec("P")
T = TypeVar("T")

LIMITS = Limits(signal_index=500, signal_index_cache=2**16, packet_measurements=1000, text=2**10)

modes = st.builds(
    OperationalModes,
    version=st.integers(1, 3),
    encoding=st.sampled_from(TextEncoding),
    flags=st.sampled_from([ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED]),
)
tolerances = st.sampled_from([DEFAULT_TOLERANCES, STRICT, replace(DEFAULT_TOLERANCES, data_packets_without_count=True)])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
payloads = st.binary(max_size=40)
u32 = st.integers(0, 2**32 - 1)
i32 = st.integers(-(2**31), 2**31 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
command_codes = st.sampled_from(Command)
undefined_codes = st.integers(0, 255).filter(lambda code: code not in set(Command) or code == Command.CONNECT)

all_commands = st.one_of(
    st.builds(c.DefineOperationalModes, modes=modes, parameters=payloads),
    st.builds(c.MetadataRefresh, filter_expression=texts),
    st.builds(
        c.Subscribe, flags=st.integers(0, 255).map(DataPacketFlags), connection_string=texts
    ),
    st.sampled_from([
        c.Unsubscribe(), c.RotateCipherKeys(), c.ConfirmUpdateBaseTimes(), c.ConfirmUpdateSignalIndexCache(),
        c.ConfirmUpdateCipherKeys(),
    ]),
    st.builds(c.UpdateProcessingInterval, milliseconds=i32),
    st.builds(c.ConfirmNotification, hash=st.binary(min_size=4, max_size=4)),
    st.builds(c.ConfirmBufferBlock, sequence=u32),
    st.builds(c.GetPrimaryMetadataSchema, payload=payloads),
    st.builds(c.GetSignalSelectionSchema, payload=payloads),
    st.builds(c.PublishCommandMeasurements, payload=st.binary(min_size=1, max_size=40)),
    st.builds(c.UserCommand, number=st.integers(0, 15), payload=payloads),
    st.builds(c.UnknownCommand, code=undefined_codes, payload=payloads),
)  # fmt: skip

all_responses = st.one_of(
    st.builds(r.Succeeded, command=command_codes.filter(lambda code: code != Command.METADATA_REFRESH), text=texts),
    st.builds(r.Failed, command=command_codes, text=texts),
    st.builds(r.Metadata, document=payloads),
    st.builds(
        r.DataPacket,
        flags=st.sampled_from(
            [DataPacketFlags(bits) for bits in (0x02, 0x06, 0x12, 0x08, 0x0C, 0x18, 0x1C, 0x0A, 0xE2)]
        ),
        count=st.integers(0, LIMITS.packet_measurements),
        body=payloads,
    ),
    st.builds(r.UpdateSignalIndexCache, cache_index=st.integers(0, 1), image=payloads),
    st.builds(r.UpdateBaseTimes, active=st.integers(0, 1), times=st.tuples(i64, i64)),
    st.builds(
        r.UpdateCipherKeys,
        active=st.integers(0, 1),
        even_key=st.binary(min_size=32, max_size=32),
        even_iv=st.binary(min_size=16, max_size=16),
        odd_key=st.binary(min_size=32, max_size=32),
        odd_iv=st.binary(min_size=16, max_size=16),
    ),
    st.builds(r.DataStartTime, ticks=i64),
    st.builds(r.ProcessingComplete, text=texts),
    st.builds(
        r.BufferBlock,
        sequence=u32,
        flags=st.integers(0, 255).map(r.BufferBlockFlags),
        signal_index=i32,
        payload=payloads,
    ),
    st.builds(r.Notify, hash=st.binary(min_size=4, max_size=4), text=texts),
    st.sampled_from([r.ConfigurationChanged(), r.NoOP()]),
    st.builds(
        r.UserResponse,
        number=st.integers(0, 15),
        command=st.integers(Command.USER_COMMAND_00, Command.USER_COMMAND_15),
        payload=payloads,
    ),
    st.builds(r.UnknownResponse, code=st.integers(0x8B, 0xDF), command=st.integers(0, 255), payload=payloads),
)


def attempt(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | ProtocolError:
    """What `read` gives, or the error that it raises; any other exception fails the test."""
    try:
        return read(*args, **kwargs)
    except ProtocolError as error:
        return error


@given(all_commands, modes)
def test_every_command_comes_back(command: c.AnyCommand, settled: OperationalModes) -> None:
    frame = c.write_command(command, settled)
    assert FRAME.parse(frame).body == frame[4:]
    assert c.read_command(memoryview(frame)[4:], settled, STRICT) == command


@given(all_responses, modes)
def test_every_response_comes_back(response: r.AnyResponse, settled: OperationalModes) -> None:
    if isinstance(response, r.UpdateSignalIndexCache) and not settled.double_buffered:
        response = replace(response, cache_index=None)
    frame = r.write_response(response, settled)
    assert FRAME.parse(frame).body == frame[4:]
    assert list(r.read_responses(memoryview(frame)[4:], settled, LIMITS, STRICT)) == [response]
    declared = r.RESPONSE.parse(frame[4:])
    assert (declared.code, declared.command, r.RESPONSE.build(declared)) == (response.code, response.command, frame[4:])


@given(
    st.lists(all_responses.filter(lambda each: not isinstance(each, r.UpdateSignalIndexCache)), min_size=1, max_size=4)
)
def test_responses_that_share_a_frame(responses: list[r.AnyResponse]) -> None:
    settled = OperationalModes()
    frame = b"".join(r.write_response(response, settled)[4:] for response in responses)
    if not any(isinstance(each, r.UserResponse | r.UnknownResponse) for each in responses):
        assert list(r.read_responses(frame, settled, LIMITS)) == responses
    else:
        assert len(list(r.read_responses(frame, settled, LIMITS))) == len(responses)


@given(st.binary(max_size=60), modes, tolerances)
def test_no_bytes_break_the_command_reader(frame: bytes, settled: OperationalModes, switches: Tolerances) -> None:
    command = attempt(c.read_command, frame, settled, switches)
    if isinstance(command, ProtocolError):
        assert command.clause
        return
    again = c.write_command(command, settled)
    assert c.read_command(again[4:], settled, STRICT) == command


@given(
    st.one_of(
        st.binary(max_size=60),
        # a header that fits, so that the payload is looked at
        st.builds(
            lambda code, command, payload: r.RESPONSE.build({"code": code, "command": command, "payload": payload}),
            st.integers(0x7F, 0x8C),
            st.integers(0, 255),
            st.binary(max_size=150),
        ),
    ),
    modes,
    tolerances,
)
def test_no_bytes_break_the_response_reader(frame: bytes, settled: OperationalModes, switches: Tolerances) -> None:
    found = attempt(lambda: list(r.read_responses(frame, settled, LIMITS, switches)))
    assert found.clause if isinstance(found, ProtocolError) else found


data_packets = st.builds(
    lambda flags, count, body: bytes([flags]) + count.to_bytes(4, "big", signed=True) + body,
    st.integers(0, 255),
    st.one_of(st.integers(0, 50), i32),
    st.binary(max_size=200),
)


@given(st.one_of(data_packets, st.binary(max_size=200)), tolerances)
def test_data_packet_header_agrees_with_its_declaration(payload: bytes, switches: Tolerances) -> None:
    packet = attempt(
        lambda: read_data_packet(memoryview(payload), LIMITS, replace(switches, data_packets_without_count=False))
    )
    if isinstance(packet, ProtocolError):
        assert packet.clause
        return
    declared = DATA_PACKET.parse(payload)
    assert (declared.flags, declared.count, declared.body) == (packet.flags, packet.count, packet.body)
    assert payload == DATA_PACKET.build(declared)
    said = r.RESPONSE.build({"code": Response.DATA_PACKET, "command": Command.SUBSCRIBE, "payload": payload})
    assert write_data_packet(packet.flags, packet.count, packet.body) == FRAME.build({"body": said})


# Frames


@given(st.lists(payloads, max_size=8), st.lists(st.integers(0, 400), max_size=12))
def test_frames_do_not_depend_on_the_cuts(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(FRAME.build({"body": body}) for body in bodies)
    assert stream == b"".join(write_frame(body) for body in bodies)
    reader = FrameReader(40)
    found = []
    ends = [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for begin, end in zip([0, *ends], ends, strict=False):
        reader.feed(stream[begin:end])
        found += [bytes(frame) for frame in reader]
    assert found == [body for body in bodies if body]
    assert reader.pending == 0


@given(st.binary(max_size=100), st.integers(0, 64))
def test_frame_reader_agrees_with_its_declaration(stream: bytes, limit: int) -> None:
    reader = FrameReader(limit)
    reader.feed(stream)
    found = attempt(lambda: [bytes(frame) for frame in reader])
    if isinstance(found, ProtocolError):
        assert found.clause == "1.4"
        return
    whole = len(stream) - reader.pending
    declared = construct.GreedyRange(FRAME).parse(stream)
    assert [each.body for each in declared if each.body] == found
    assert sum(4 + each.length for each in declared) == whole


# Connection strings

keys = st.text(st.characters(exclude_characters="{}=;", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda key: key.strip() == key
)
balanced = st.recursive(
    st.text(st.sampled_from("ab =;\\\t"), max_size=6),
    lambda inner: st.one_of(
        st.builds("{{{}}}".format, inner), st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=6,
).filter(lambda value: value.strip() == value)  # fmt: skip


@given(st.dictionaries(keys.map(str.lower), balanced, max_size=6))
def test_connection_strings_come_back(settings: dict[str, str]) -> None:
    assert parse_connection_string(format_connection_string(settings)) == settings


@given(st.text(st.sampled_from("{}=;aB \t\\"), max_size=60))
def test_no_text_breaks_the_connection_string(text: str) -> None:
    settings = attempt(parse_connection_string, text, Limits(connection_string_depth=4))
    if isinstance(settings, ProtocolError):
        assert settings.clause == "4.2"
        return
    assert all(key == key.strip().lower() and value == value.strip() for key, value in settings.items())
    assert parse_connection_string(text + ";") == settings


@given(st.text(st.sampled_from("{}=;09.-eTtFf"), max_size=30), st.sampled_from(["lagTime", "throttled", "dataChannel"]))
@example("9" * 400, "lagTime")
def test_no_value_breaks_the_options(value: str, key: str) -> None:
    options = attempt(SubscriptionOptions.from_connection_string, f"{key}={value}")
    if isinstance(options, ProtocolError):
        assert options.clause == "4.2"
        return
    assert math.isfinite(options.lag_time)


seconds = st.integers(-(10**12), 10**12).map(lambda ticks: ticks / 10**7)
optional_texts = st.none() | balanced
options = st.builds(
    SubscriptionOptions,
    filter_expression=balanced,
    include_time=st.booleans(),
    milliseconds=st.booleans(),
    request_nan_filter=st.booleans(),
    throttled=st.booleans(),
    publish_interval=seconds,
    lag_time=seconds,
    lead_time=seconds,
    use_local_clock_as_real_time=st.booleans(),
    enable_time_reasonability_check=st.booleans(),
    processing_interval=i32,
    start_time=optional_texts,
    stop_time=optional_texts,
    constraint_parameters=optional_texts,
    data_channel_port=st.none() | st.integers(1, 65535),
    assembly_info=balanced,
)


@given(options)
def test_options_come_back(wanted: SubscriptionOptions) -> None:
    assert SubscriptionOptions.from_connection_string(wanted.to_connection_string()) == wanted


# Signal index caches

sources = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
some_keys = st.builds(lambda source, number: f"{source}:{number}", sources, st.integers(1, 2**64 - 1)) | st.just("")
signal_ids = st.uuids()


@st.composite
def caches(draw: st.DrawFn) -> SignalIndexCache:
    signals = draw(st.dictionaries(st.integers(0, LIMITS.signal_index), st.tuples(signal_ids, some_keys), max_size=12))
    size = max(signals, default=-1) + 1
    ids = np.zeros((size, 16), np.uint8)
    names = [""] * size
    for index, (signal_id, key) in signals.items():
        ids[index] = np.frombuffer(signal_id.bytes, np.uint8)
        names[index] = key
    return SignalIndexCache(
        subscriber_id=draw(signal_ids),
        signals=SignalTable(ids, tuple(names)),
        unauthorised=tuple(draw(st.lists(signal_ids, max_size=3))),
    )


@given(caches(), modes)
def test_caches_come_back_and_agree_with_their_declaration(cache: SignalIndexCache, settled: OperationalModes) -> None:
    image = write_signal_index_cache(cache, settled)
    assert read_signal_index_cache(image, settled, LIMITS, STRICT) == cache
    plain = inflate(image, limit=2**16, name="signal_index_cache")
    declared = SIGNAL_INDEX_CACHE.parse(plain)
    assert SIGNAL_INDEX_CACHE.build(declared) == plain
    assert declared.size == len(plain)
    assert declared.subscriber_id == cache.subscriber_id
    assert tuple(declared.unauthorised) == cache.unauthorised
    found = {
        each.signal_index: (each.signal_id, each.source.decode(settled.encoding.codec), each.number)
        for each in declared.references
    }
    assert found == {
        index: (signal.signal_id, signal.key.rpartition(":")[0], int(signal.key.rpartition(":")[2] or 0))
        for index, signal in zip(np.flatnonzero(cache.signals.present).tolist(), cache.signals, strict=True)
    }


@given(caches(), st.randoms(use_true_random=False), tolerances)
def test_no_damage_breaks_the_cache_reader(cache: SignalIndexCache, dice: random.Random, switches: Tolerances) -> None:
    plain = OperationalModes(flags=ModeFlags(0))
    image = bytearray(write_signal_index_cache(cache, plain))
    for _ in range(3):
        image[dice.randrange(len(image))] = dice.randrange(256)
    for damaged in (bytes(image), bytes(image[: dice.randrange(len(image))]), deflate(image)):
        found = attempt(read_signal_index_cache, damaged, plain, LIMITS, switches)
        assert found.clause if isinstance(found, ProtocolError) else len(found.signals) <= LIMITS.signal_index + 1


@given(st.binary(max_size=120), tolerances)
def test_no_bytes_break_the_cache_reader(image: bytes, switches: Tolerances) -> None:
    found = attempt(read_signal_index_cache, image, OperationalModes(), LIMITS, switches)
    if isinstance(found, ProtocolError):
        assert found.clause
        return
    assert isinstance(found.subscriber_id, UUID)


@given(payloads.map(lambda rest: b"\x1f\x8b" + rest) | payloads.map(lambda rest: b"\x1f\x8b\x08\0" + bytes(6) + rest))
def test_no_bytes_break_inflate(document: bytes) -> None:
    found = attempt(inflate, document, limit=100, name="metadata")
    assert found.clause == "3.2" if isinstance(found, ProtocolError) else len(found) <= 100


@given(st.binary(max_size=300), st.integers(1, 9))
def test_gzip_comes_back(document: bytes, level: int) -> None:
    compressed = deflate(document, level)
    assert inflate(compressed, limit=len(document), name="metadata") == document


@given(st.lists(st.binary(max_size=100), max_size=20), st.integers(1, 9))
def test_gzip_in_pieces_comes_back_as_one(pieces: list[bytes], level: int) -> None:
    compressed = deflate_pieces(iter(pieces), level)
    document = b"".join(pieces)
    assert compressed.startswith(b"\x1f\x8b")
    assert inflate(compressed, limit=len(document), name="metadata") == document
