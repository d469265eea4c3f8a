"""The normaliser of transcripts: what it leaves out, and that it notices everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes, Role
from sttp.measurement import Columns, Signal, SignalTable
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, write_command
from sttp.wire.compact import BaseTimes, TimeFormat, write_compact
from sttp.wire.fields import deflate
from sttp.wire.responses import AnyResponse, DataPacket, write_response
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscEncoder, write_tssc_payload
from sttp_conformance.measurements import Measurements
from sttp_conformance.transcript import Transcript, difference, read_transcript, shown

TSSC = OperationalModes()
COMPACT = OperationalModes(flags=ModeFlags.GZIP | ModeFlags.COMPRESS_METADATA)
SIGNALS = SignalTable.of([Signal(signal_id=UUID(int=number), key=f"PPA:{number}") for number in (11, 22, 33)])
T = 638_396_640_000_000_000

DOCUMENT = b"<D><DeviceDetail><NodeID>%s</NodeID><UpdatedOn>%s</UpdatedOn><Name>%s</Name></DeviceDetail></D>"


def columns(*values: float, first_index: int = 0) -> Columns:
    count = len(values)
    return Columns(
        np.arange(first_index, first_index + count, dtype=np.int32) % 3,
        np.arange(T, T + count, dtype=np.int64),
        np.zeros(count, np.uint32),
        np.array(values, np.float32),
    )


def metadata(node: bytes = b"n1", updated: bytes = b"2026-03-14T00:00:00", name: bytes = b"bus 1") -> AnyResponse:
    return responses.Metadata(document=deflate(DOCUMENT % (node, updated, name)))


def cache(subscriber: int = 1, signals: SignalTable = SIGNALS, modes: OperationalModes = TSSC) -> AnyResponse:
    image = write_signal_index_cache(SignalIndexCache(subscriber_id=UUID(int=subscriber), signals=signals), modes)
    return responses.UpdateSignalIndexCache(cache_index=0, image=image)


def tssc(*batches: Columns) -> list[AnyResponse]:
    encoder = TsscEncoder()
    blocks = [block for batch in batches for block in encoder.encode(batch)]
    return [
        DataPacket(flags=DataPacketFlags.COMPRESSED, count=block.count, body=write_tssc_payload(block))
        for block in blocks
    ]


def compact(batch: Columns, times: TimeFormat, base: BaseTimes | None) -> list[AnyResponse]:
    return [
        DataPacket(flags=DataPacketFlags.COMPACT, count=count, body=body)
        for count, body in write_compact(batch, times, base)
    ]


def transcript(
    *said: AnyResponse,
    asked: Sequence[AnyCommand] = (),
    modes: OperationalModes = TSSC,
    cut: int = 1 << 20,
) -> Transcript:
    """What a subscriber asked, and then what a publisher said."""
    questions = [commands.DefineOperationalModes(modes=modes), *asked]
    halves = [
        (Role.SUBSCRIBER, b"".join(write_command(command, modes) for command in questions)),
        (Role.PUBLISHER, b"".join(write_response(response, modes) for response in said)),
    ]
    return read_transcript(
        (role, data[start : start + cut]) for role, data in halves for start in range(0, len(data), cut)
    )


VALUES = columns(60.0, 59.5, -0.0, float("nan"), 1e-40, 7.0)
WHOLE = [cache(), *tssc(VALUES)]


def subscribe(**options: object) -> commands.Subscribe:
    settings = SubscriptionOptions(filter_expression="PPA:1", **options)
    return commands.Subscribe(connection_string=settings.to_connection_string())


# --- what makes no difference


@pytest.mark.parametrize("cut", [1, 2, 7, 100])
def test_how_the_bytes_were_cut(cut: int) -> None:
    assert transcript(*WHOLE, cut=cut) == transcript(*WHOLE)


def test_how_many_measurements_share_a_packet() -> None:
    pieces = tssc(*(VALUES.select(slice(row, row + 1)) for row in range(6)))
    assert len(pieces) == 6
    assert transcript(cache(), *pieces) == transcript(*WHOLE)
    (_, measurements) = transcript(*WHOLE).publisher
    assert isinstance(measurements, Measurements)
    assert len(measurements) == 6


def test_the_encoding_of_equal_measurements() -> None:
    plain = [cache(modes=COMPACT), *compact(VALUES, TimeFormat(), None)]
    assert transcript(*plain, modes=COMPACT).publisher == transcript(*WHOLE).publisher


def test_signs_of_life() -> None:
    first, second = tssc(VALUES.select(slice(0, 3)), VALUES.select(slice(3, 6)))
    noop = responses.NoOP()
    assert transcript(noop, cache(), noop, first, noop, second, noop) == transcript(*WHOLE)


def test_the_subscriber_id() -> None:
    assert transcript(cache(1)) == transcript(cache(2))


def test_the_node_id_and_when_a_record_was_changed() -> None:
    assert transcript(metadata()) == transcript(metadata(b"n2", b"2027-01-01T12:00:00"))


def test_base_times() -> None:
    """They come from a clock; what they are good for, the times of measurements, stays."""
    settled = subscribe(milliseconds=False)

    def told(base: int) -> Transcript:
        times = BaseTimes(active=0, times=(base, base + 600_000_000))
        update = responses.UpdateBaseTimes(active=0, times=times.times)
        packets = compact(VALUES, TimeFormat(), times)
        assert len(packets[0].body) == 6 * 13, "the times are short"
        return transcript(cache(modes=COMPACT), update, *packets, asked=[settled], modes=COMPACT)

    assert told(T - 5) == told(T - 77)
    assert told(T - 5).measurements == transcript(*WHOLE).measurements


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "[::1]:{}", "localhost:{}"])
def test_ports_in_what_is_said_to_people(address: str) -> None:
    def refused(port: int) -> AnyResponse:
        return responses.Failed(command=Command.SUBSCRIBE, text=f"no, {address.format(port)} may not")

    assert transcript(refused(4711)) == transcript(refused(50123))


def test_the_port_of_a_data_channel() -> None:
    assert transcript(asked=[subscribe(data_channel_port=4711)]) == transcript(asked=[subscribe(data_channel_port=1)])
    assert transcript(asked=[subscribe()]) != transcript(asked=[subscribe(data_channel_port=1)])


# --- what makes one


def changed(column: str, row: int, value: object) -> list[AnyResponse]:
    other = VALUES._replace(**{column: getattr(VALUES, column).copy()})
    getattr(other, column)[row] = value
    return [cache(), *tssc(other)]


DIFFERENT: dict[str, list[AnyResponse]] = {
    "a value": changed("value", 5, 7.5),
    "the sign of zero": changed("value", 2, 0.0),
    "the bits of a NaN": [
        cache(),
        *tssc(VALUES._replace(value=(VALUES.value.view(np.uint32) ^ np.uint32([0, 0, 0, 1, 0, 0])).view(np.float32))),
    ],
    "a time": changed("ticks", 5, T + 6),
    "flags": changed("flags", 0, 1),
    "a signal": changed("signal_index", 0, 1),
    "what a signal index means": [cache(signals=SIGNALS.select(np.array([1, 0, 2]))), *tssc(VALUES)],
    "the order": [cache(), *tssc(VALUES.select(np.array([1, 0, 2, 3, 4, 5])))],
    "one measurement less": [cache(), *tssc(VALUES.select(slice(0, 5)))],
    "a message more": [*WHOLE, responses.ConfigurationChanged()],
    "a message between": [
        cache(),
        *[each for packet in tssc(VALUES.select(slice(0, 3)), VALUES.select(slice(3, 6))) for each in
          (packet, responses.ConfigurationChanged())],
    ],
    "a message in front": [responses.ConfigurationChanged(), *WHOLE],
    "another slot": [replace(cache(), cache_index=1), *WHOLE],
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_everything_else_is_noticed(name: str) -> None:
    told = difference(transcript(*WHOLE), transcript(*DIFFERENT[name]))
    assert told.startswith("the publishers differ in line ")
    assert "\n  + " in told or "\n  - " in told


def test_another_text_is_noticed() -> None:
    assert transcript(metadata()) != transcript(metadata(name=b"bus 2"))
    assert transcript(asked=[subscribe()]) != transcript(asked=[subscribe(throttled=True)])
    refused, again = (responses.Failed(command=Command.SUBSCRIBE, text=text) for text in ("no", "not now"))
    assert transcript(refused) != transcript(again)


def test_an_unfinished_frame_is_noticed() -> None:
    whole = write_response(responses.ConfigurationChanged(), TSSC)
    torn = read_transcript([(Role.PUBLISHER, whole), (Role.PUBLISHER, whole[:-1])])
    assert torn.publisher[-1] == "(ends inside a frame, 9 bytes of which came)"


def test_data_that_nobody_can_read_is_noticed() -> None:
    assert transcript(*tssc(VALUES)).publisher == ["(a data packet of 6 measurements without a signal index cache)"]


# --- how it is told


def test_equal_transcripts_have_no_difference() -> None:
    assert difference(transcript(*WHOLE), transcript(*WHOLE)) == ""


def test_a_difference_shows_where_it_begins_and_what_stood_before() -> None:
    told = difference(transcript(*WHOLE), transcript(*changed("value", 4, 2.0)))
    assert told.splitlines() == [
        "the publishers differ in line 9:",
        f"    {UUID(int=11)} at {T}: 60.0 (0x42700000), flags 0x00000000",
        f"    {UUID(int=22)} at {T + 1}: 59.5 (0x426e0000), flags 0x00000000",
        f"    {UUID(int=33)} at {T + 2}: -0.0 (0x80000000), flags 0x00000000",
        f"    {UUID(int=11)} at {T + 3}: nan (0x7fc00000), flags 0x00000000",
        f"  - {UUID(int=22)} at {T + 4}: 9.99994610111476e-41 (0x000116c2), flags 0x00000000",
        f"  - {UUID(int=33)} at {T + 5}: 7.0 (0x40e00000), flags 0x00000000",
        f"  + {UUID(int=22)} at {T + 4}: 2.0 (0x40000000), flags 0x00000000",
        f"  + {UUID(int=33)} at {T + 5}: 7.0 (0x40e00000), flags 0x00000000",
    ]


def test_both_speakers_are_compared() -> None:
    told = difference(
        transcript(*WHOLE, asked=[commands.MetadataRefresh()]),
        transcript(cache(), asked=[commands.MetadataRefresh(filter_expression="FILTER DeviceDetail WHERE True")]),
    )
    assert "the subscribers differ in line 2:" in told
    assert "the publishers differ in line 5:" in told


@pytest.mark.parametrize(
    ("flags", "said"),
    [(ModeFlags(0), "NONE"), (ModeFlags.GZIP | ModeFlags.TSSC, "GZIP|TSSC"), (ModeFlags(0x21), "GZIP|1")],
)
def test_modes_are_shown_by_their_names(flags: ModeFlags, said: str) -> None:
    message = commands.DefineOperationalModes(modes=OperationalModes(flags=flags))
    assert f"modes=(version=2, encoding=UTF_8, flags={said}, extension=0)" in shown(message)
