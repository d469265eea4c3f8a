"""Recorded conversations of deployed implementations, with one of our sessions in the place of one of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from captures import NAMES, TO_PUBLISHER, decoded, frames, reads
from sttp.codes import OperationalModes
from sttp.measurement import Columns, Signal, SignalTable
from sttp.session import Phase, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.events import (
    Ended,
    MeasurementsReceived,
    MetadataReceived,
    MetadataRequested,
    ModesAccepted,
    ModesDefined,
    PacketDropped,
    StreamingStarted,
    SubscribeRequested,
)
from sttp.tolerances import tolerances_for
from sttp.wire import commands, responses
from sttp.wire.frame import FrameReader
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions

EXPECTED = decoded()


def first_modes(name: str) -> OperationalModes:
    first = frames(data for direction, data in reads(name) if direction == TO_PUBLISHER)[0]
    command = commands.read_command(first, OperationalModes())
    assert isinstance(command, commands.DefineOperationalModes)
    return command.modes


@pytest.mark.parametrize("cut", [1 << 20, 11])
@pytest.mark.parametrize("name", NAMES)
def test_our_subscriber_in_the_place_of_theirs(name: str, cut: int) -> None:
    """It says what theirs said, as soon as it may, and delivers what theirs delivered."""
    publisher = name.partition("-")[0]
    config = SubscriberConfig(modes=first_modes(name), tolerances=tolerances_for(publisher))
    session = SubscriberSession(config, now=0)
    commanded = FrameReader(1 << 20)
    events = []
    for direction, data in reads(name):
        if direction != TO_PUBLISHER:
            for start in range(0, len(data), cut):
                session.receive_data(data[start : start + cut], now=0)
                events += session.events()
            continue
        commanded.feed(data)
        for frame in commanded:
            match commands.read_command(frame, config.modes):
                case commands.MetadataRefresh():
                    session.refresh_metadata()
                case commands.Subscribe(connection_string=text):
                    session.subscribe(SubscriptionOptions.from_connection_string(text))
    assert not any(isinstance(event, Ended | PacketDropped) for event in events)
    assert any(isinstance(event, ModesAccepted) for event in events)
    assert all(b"<MeasurementDetail>" in event.document for event in events if isinstance(event, MetadataReceived))
    rows = [
        (event.signals[index].signal_id, ticks, flags, value)
        for event in events
        if isinstance(event, MeasurementsReceived)
        for index, ticks, flags, value in zip(*(column.tolist() for column in event.columns), strict=True)
    ]
    assert rows == [(signal, ticks, flags, float(np.float32(value))) for signal, ticks, flags, value in EXPECTED]
    assert session.phase is Phase.STREAMING


@pytest.mark.parametrize("name", NAMES)
def test_our_publisher_in_the_place_of_theirs(name: str) -> None:
    """It answers their subscriber in order, and their subscriber's commands bring the stream about."""
    table = SignalTable.of(
        [Signal(signal_id=row[0], key=f"PPA:{number}") for number, row in enumerate(EXPECTED[:25], 1)]
    )
    session = PublisherSession(now=0)
    events = []
    output = []
    for direction, data in reads(name):
        if direction == TO_PUBLISHER:
            session.receive_data(data, now=0)
        while said := session.events():
            events += said
            for event in said:
                if isinstance(event, MetadataRequested):
                    session.send_metadata(b"<DataSet/>")
                elif isinstance(event, SubscribeRequested):
                    session.accept_subscription(SignalIndexCache(subscriber_id=table[0].signal_id, signals=table))
        output += session.data_to_send()
    assert session.phase is Phase.STREAMING
    assert isinstance(events[0], ModesDefined)
    assert not any(isinstance(event, Ended) for event in events)
    asked = [event for event in events if isinstance(event, SubscribeRequested)]
    assert len([event for event in events if isinstance(event, StreamingStarted)]) == len(asked) in (1, 2)

    session.send_measurements(
        Columns(
            np.arange(25, dtype=np.int32),
            np.array([row[1] for row in EXPECTED[:25]]),
            np.array([row[2] for row in EXPECTED[:25]], np.uint32),
            np.array([row[3] for row in EXPECTED[:25]], np.float32),
        )
    )
    kinds = []
    for frame in frames([*output, *session.data_to_send()]):
        kinds += [type(response) for response in responses.read_responses(frame, first_modes(name))]
    assert kinds[0] is responses.Succeeded
    assert kinds.count(responses.UpdateSignalIndexCache) == len(asked)
    assert kinds[-1] is responses.DataPacket
