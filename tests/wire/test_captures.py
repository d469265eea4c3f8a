"""Streams of deployed implementations, read to the last byte; see vectors/captures/README.md."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import numpy as np
import pytest

from captures import COMPACT, GOAPI, NAMES, PYAPI, TO_PUBLISHER, TO_SUBSCRIBER, TSSC, decoded, frames, reads
from sttp.codes import Command, DataPacketFlags, OperationalModes
from sttp.errors import ProtocolError
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns
from sttp.tolerances import STRICT
from sttp.wire.commands import AnyCommand, DefineOperationalModes, Subscribe, read_command, write_command
from sttp.wire.compact import TimeFormat, read_compact
from sttp.wire.fields import inflate
from sttp.wire.frame import write_frame
from sttp.wire.responses import (
    AnyResponse,
    DataPacket,
    DataStartTime,
    Metadata,
    Succeeded,
    UpdateSignalIndexCache,
    read_responses,
    write_response,
)
from sttp.wire.signal_index_cache import read_signal_index_cache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder, read_tssc_payload

BEGINNING = 638_396_640_000_000_000

SETTLE = ["DefineOperationalModes", "MetadataRefresh"]
START = ["Subscribe", "ConfirmUpdateSignalIndexCache"]
COMMANDS = {
    COMPACT: SETTLE + START,
    # cppapi's subscriber says everything twice when it dials (C20)
    TSSC: [*SETTLE, "MetadataRefresh", "Subscribe", *START, "ConfirmUpdateSignalIndexCache"],
    GOAPI: SETTLE + START,
    PYAPI: [*SETTLE, "MetadataRefresh", "Subscribe", *START, "ConfirmUpdateSignalIndexCache"],
}
CACHE_FIRST = ["Succeeded", "Metadata", "UpdateSignalIndexCache", "Succeeded", "DataStartTime"]
RESPONSES = {
    COMPACT: CACHE_FIRST,
    TSSC: [
        *("Succeeded", "Metadata", "Metadata", "UpdateSignalIndexCache", "Succeeded", "Succeeded"),
        *("UpdateSignalIndexCache", "DataStartTime"),
    ],
    GOAPI: CACHE_FIRST,
    PYAPI: [
        *("Succeeded", "Metadata", "Metadata"),
        *("Succeeded", "UpdateSignalIndexCache", "Succeeded", "UpdateSignalIndexCache"),
    ],
}


def stream(name: str, direction: str) -> list[bytes]:
    """What each read of one direction gave."""
    return [data for where, data in reads(name) if where == direction]


def commands(name: str) -> list[AnyCommand]:
    return [read_command(frame, OperationalModes()) for frame in frames(stream(name, TO_PUBLISHER))]


def modes(name: str) -> OperationalModes:
    first = commands(name)[0]
    assert isinstance(first, DefineOperationalModes)
    return first.modes


def responses(name: str) -> Iterator[AnyResponse]:
    for frame in frames(stream(name, TO_SUBSCRIBER)):
        yield from read_responses(frame, modes(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", [TO_PUBLISHER, TO_SUBSCRIBER])
def test_frames_do_not_depend_on_the_reads(name: str, direction: str) -> None:
    reads = stream(name, direction)
    whole = b"".join(reads)
    expected = frames(reads)
    assert frames([whole]) == expected
    assert frames([whole[begin : begin + 7] for begin in range(0, len(whole), 7)]) == expected
    assert b"".join(write_frame(frame) for frame in expected) == whole


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_their_order(name: str) -> None:
    assert sorted(type(command).__name__ for command in commands(name)) == sorted(COMMANDS[name])
    assert [type(command).__name__ for command in commands(name)][:2] == SETTLE
    assert modes(name) == OperationalModes.from_bits(0xC0000222 if name == COMPACT else 0xE0000262)


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_written_as_they_were(name: str) -> None:
    for frame in frames(stream(name, TO_PUBLISHER)):
        command = read_command(frame, modes(name), STRICT)
        assert write_command(command, modes(name))[4:] == frame


@pytest.mark.parametrize("name", NAMES)
def test_responses_in_their_order(name: str) -> None:
    found = list(responses(name))
    control = [type(each).__name__ for each in found if not isinstance(each, DataPacket)]
    packets = [each for each in found if isinstance(each, DataPacket)]
    assert control == RESPONSES[name]
    assert [each.ticks for each in found if isinstance(each, DataStartTime)] == [BEGINNING] * (name != PYAPI)
    assert [packet.count for packet in packets] == [25] * 60
    assert {packet.flags for packet in packets} == {
        DataPacketFlags.COMPACT if name == COMPACT else DataPacketFlags.COMPRESSED
    }


@pytest.mark.parametrize("name", [COMPACT, TSSC, GOAPI])
def test_responses_are_written_as_they_were(name: str) -> None:
    for frame in frames(stream(name, TO_SUBSCRIBER)):
        (response,) = read_responses(frame, modes(name), tolerances=STRICT)
        assert write_response(response, modes(name))[4:] == frame


@pytest.mark.parametrize("name", NAMES)
def test_texts(name: str) -> None:
    settled, *subscribed = (each for each in responses(name) if isinstance(each, Succeeded))
    assert settled.command == Command.DEFINE_OPERATIONAL_MODES
    assert settled.text == "STTP v2 client connection accepted: requested operational modes applied."
    form = "compact format" if name == COMPACT else "TSSC compression"
    expected = "" if name == PYAPI else f"Client subscribed using {form} over TCP with 25 signals."
    assert {(each.command, each.text) for each in subscribed} == {(Command.SUBSCRIBE, expected)}


@pytest.mark.parametrize("name", NAMES)
def test_metadata(name: str) -> None:
    documents = [each.document for each in responses(name) if isinstance(each, Metadata)]
    for document in documents:
        text = inflate(document, limit=DEFAULT_LIMITS.metadata, name="metadata")
        assert text.startswith(b"<?xml")
        assert text.count(b"<MeasurementDetail>") == 25


@pytest.mark.parametrize("name", NAMES)
def test_signal_index_caches(name: str) -> None:
    updates = [each for each in responses(name) if isinstance(each, UpdateSignalIndexCache)]
    assert [each.cache_index for each in updates] == {TSSC: [0, 1], PYAPI: [0, 0]}.get(name, [0])
    for update in updates:
        cache = read_signal_index_cache(update.image, modes(name))
        assert [signal.signal_id for signal in cache.signals] == [
            UUID(f"00000000-0000-4000-8000-{number:012x}") for number in range(1, 26)
        ]
        keys = [signal.key for signal in cache.signals]
        if name == PYAPI:  # no sources, and numbers from 0 (Y6)
            assert keys == ["", *(f":{number}" for number in range(1, 25))]
        else:
            assert keys == [f"PPA:{number}" for number in range(1, 26)]
        assert cache.unauthorised == ()
        again = write_signal_index_cache(cache, modes(name))
        assert read_signal_index_cache(again, modes(name), tolerances=STRICT) == cache


def test_only_pyapi_needs_tolerance_for_its_caches() -> None:
    for name in NAMES:
        update = next(each for each in responses(name) if isinstance(each, UpdateSignalIndexCache))
        if name == PYAPI:
            with pytest.raises(ProtocolError):
                read_signal_index_cache(update.image, modes(name), tolerances=STRICT)
        else:
            read_signal_index_cache(update.image, modes(name), tolerances=STRICT)


@pytest.mark.parametrize("name", NAMES)
def test_subscription_options(name: str) -> None:
    wanted = [each for each in commands(name) if isinstance(each, Subscribe)]
    for command in wanted:
        assert command.flags == DataPacketFlags.COMPACT
        options = SubscriptionOptions.from_connection_string(command.connection_string)
        assert options.filter_expression == "FILTER ActiveMeasurements WHERE SignalType <> 'STAT'"
        assert options.include_time
        assert options.milliseconds is (name != GOAPI)
        assert (options.publish_interval, options.lag_time, options.lead_time) == (
            (1.0, 10.0, 5.0) if name == GOAPI else (0.0, 3.0, 1.0)
        )
        assert options.assembly_info.startswith(
            "source=STTP Go Library;" if name == GOAPI else "source=STTP C++ Library;"
        )
        assert options.extra == {}
        assert SubscriptionOptions.from_connection_string(options.to_connection_string()) == options


@pytest.mark.parametrize("name", NAMES)
def test_measurements_are_those_that_the_subscriber_saw(name: str) -> None:
    found = list(responses(name))
    update = next(each for each in found if isinstance(each, UpdateSignalIndexCache))
    signals = read_signal_index_cache(update.image, modes(name)).signals
    decoder = TsscDecoder(signal_indexes=signals.present)
    parts = []
    for packet in found:
        if isinstance(packet, DataPacket):
            if packet.flags & DataPacketFlags.COMPRESSED:
                block = read_tssc_payload(packet.body, packet.count)
                parts.append(decoder.decode(block.block, sequence=block.sequence, count=block.count))
            else:
                parts.append(read_compact(packet.body, packet.count, TimeFormat(milliseconds=True), None))
    columns = Columns.concatenate(parts)
    ids, ticks, flags, values = zip(*decoded(), strict=True)
    assert [signals[index].signal_id for index in columns.signal_index.tolist()] == list(ids)
    assert columns.ticks.tolist() == list(ticks)
    assert columns.flags.tolist() == list(flags)
    np.testing.assert_array_equal(columns.value, np.array(values, np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_every_distinct_frame_cut_at_every_byte(name: str) -> None:
    settled = modes(name)
    for frame in frames(stream(name, TO_PUBLISHER)):
        for cut in range(len(frame)):
            try:
                command = read_command(frame[:cut], settled)
            except ProtocolError:
                continue
            assert cut == 1, f"{command} is whole only as a bare code"
    seen = set()
    for frame in frames(stream(name, TO_SUBSCRIBER)):
        if frame[:2] not in seen:
            seen.add(frame[:2])
            for cut in range(len(frame)):
                with pytest.raises(ProtocolError):
                    list(read_responses(frame[:cut], settled))
