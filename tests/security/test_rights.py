"""Rights by identity: what a subscriber may see, at first and when it changes, in both directions; who may publish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest

import ends
from ends import frame, some_of
from parties import Issuer, Party, trusting_pair
from sttp import Metadata, Publisher, Subscriber
from sttp.catalogue import Catalogue
from sttp.metadata import DeviceRecord, MeasurementRecord, PhasorRecord
from sttp.metadata.narrowing import only_signals
from sttp.security import Authority, Peer, PeerIdentity, Trust, may_publish, rights_of
from sttp.session.events import SignalsChanged

METADATA = some_of(6, 0, 1, 2, 3, 4, 5)  # those with odd numbers are of type FREQ
FREQUENCIES = "rights = \"SignalType = 'FREQ'\""
EVERYTHING = 'rights = "FILTER ActiveMeasurements WHERE True"'


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it is about time
        await asyncio.sleep(0.01)


# --- which rights an identity has


def test_without_any_rights_everybody_may_see_everything() -> None:
    trust = Trust(peers={"a": Peer(name="a", pins=("F",))})
    assert rights_of(trust, None) is None
    assert rights_of(trust, PeerIdentity(name="a", fingerprint="F")) is None


def test_once_rights_are_configured_who_has_none_may_see_nothing() -> None:
    trust = Trust(
        peers={"a": Peer(name="a", pins=("F",), rights="x"), "b": Peer(name="b", pins=("G",))},
        authorities={"utility": Authority(name="utility", certificates=())},
    )
    assert rights_of(trust, PeerIdentity(name="a", fingerprint="F")) == "x"
    assert rights_of(trust, PeerIdentity(name="b", fingerprint="G")) == ""
    assert rights_of(trust, PeerIdentity(name="c (utility)", authority="utility")) == ""
    assert rights_of(trust, None) == ""


def test_a_name_alone_proves_nothing() -> None:
    """A certificate of an authority may carry the name of a pinned peer."""
    trust = Trust(
        peers={
            "pinned": Peer(name="pinned", pins=("F",), rights="much", may_publish=True),
            "listed": Peer(name="listed", authority="one", rights="more"),
        },
        authorities={
            "one": Authority(name="one", certificates=(), rights="little"),
            "two": Authority(name="two", certificates=()),
        },
    )
    assert rights_of(trust, PeerIdentity(name="pinned", fingerprint="X", authority="one")) == "little"
    assert rights_of(trust, PeerIdentity(name="pinned", fingerprint="X", authority="two")) == ""
    assert rights_of(trust, PeerIdentity(name="listed", fingerprint="X", authority="two")) == ""
    assert rights_of(trust, PeerIdentity(name="listed", fingerprint="X", authority="one")) == "more"
    assert not may_publish(trust, PeerIdentity(name="pinned", fingerprint="X", authority="one"))
    assert may_publish(trust, PeerIdentity(name="pinned", fingerprint="F"))


@pytest.mark.parametrize(
    ("mine", "others", "may"), [(None, None, True), (None, False, True), (None, True, False), (False, None, False)]
)
def test_who_may_publish(mine: bool | None, others: bool | None, may: bool) -> None:
    trust = Trust(
        peers={
            "me": Peer(name="me", pins=("F",), may_publish=mine),
            "other": Peer(name="other", pins=("G",), may_publish=others),
        }
    )
    assert may_publish(trust, PeerIdentity(name="me", fingerprint="F")) is may


# --- what of the metadata belongs to some signals


def test_metadata_of_some_signals_says_nothing_of_others() -> None:
    ids = [UUID(int=number) for number in range(1, 5)]
    metadata = Metadata.of(
        devices=[DeviceRecord(acronym="A"), DeviceRecord(acronym="B")],
        measurements=[
            MeasurementRecord(signal_id=ids[0], tag="A:F", device_acronym="A"),
            MeasurementRecord(signal_id=ids[1], tag="A:V", device_acronym="a", phasor_source_index=1),
            MeasurementRecord(signal_id=ids[2], tag="A:I", device_acronym="A", phasor_source_index=2),
            MeasurementRecord(signal_id=ids[3], tag="B:F", device_acronym="B"),
        ],
        phasors=[PhasorRecord(device_acronym="A", source_index=1), PhasorRecord(device_acronym="A", source_index=2)],
    )
    seen = Metadata(only_signals(metadata.dataset, {ids[0], ids[1]}))
    assert [each.tag for each in seen.measurements] == ["A:F", "A:V"]
    assert [each.acronym for each in seen.devices] == ["A"]
    assert [each.source_index for each in seen.phasors] == [1]
    assert seen.schema_version == metadata.schema_version
    nothing = Metadata(only_signals(metadata.dataset, set()))
    assert (nothing.measurements, nothing.devices, nothing.phasors) == ((), (), ())
    assert Metadata(only_signals(metadata.dataset, set(ids))) == metadata


def test_rights_that_cannot_be_evaluated_permit_nothing(caplog: pytest.LogCaptureFixture) -> None:
    catalogue = Catalogue(METADATA)
    signals, refused = catalogue.select_permitted("FILTER ActiveMeasurements WHERE True", "Nonsense = 1")
    assert (len(signals), len(refused)) == (0, 6)
    assert "rights that cannot be evaluated permit nothing" in caplog.text
    assert catalogue.seen_with("Nonsense = 1").metadata.measurements == ()


# --- in a conversation


@dataclass
class Watched:
    """A conversation in which a publisher sends a frame every few milliseconds."""

    left: Party
    right: Party
    publisher: Publisher
    subscriber: Subscriber
    keys: set[str] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)

    async def publish(self) -> None:
        number = 0
        while True:
            await self.publisher.publish(frame(self.publisher.signals, number))
            number += 1
            await asyncio.sleep(0.005)

    async def receive(self) -> None:
        async for batch in self.subscriber.measurements():
            assert ends.values_fit(batch)
            self.keys |= {batch.signals.keys[index] for index in set(batch.signal_index.tolist())}

    async def listen(self) -> None:
        async for event in self.subscriber.events():
            if isinstance(event.event, SignalsChanged):
                self.refused.append(len(event.event.unauthorised))

    async def gets_only(self, *numbers: int) -> None:
        """Wait until exactly these signals come."""
        wanted = {f"SIM:{number}" for number in numbers}
        while True:
            self.keys.clear()
            await asyncio.sleep(0.05)
            if self.keys == wanted:
                return

    def grant(self, *lines: str) -> None:
        self.left.trust("right", self.right.issuer, *lines)


@asynccontextmanager
async def watched(direction: str, folder: Path, *lines: str) -> AsyncIterator[Watched]:
    left, right = trusting_pair(folder)
    left.trust("right", right.issuer, *lines)
    async with ends.joined(
        direction,
        METADATA,
        publisher={"security": left.folder},
        subscriber={"security": right.folder},
        scheme="tls",
    ) as (publisher, subscriber):
        scene = Watched(left, right, publisher, subscriber)
        tasks = [asyncio.create_task(each) for each in (scene.publish(), scene.receive(), scene.listen())]
        try:
            async with asyncio.timeout(20):
                yield scene
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("direction", ends.DIRECTIONS)
async def test_a_subscriber_gets_what_it_may_see_and_hears_what_it_may_not(
    direction: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(direction, tmp_path, FREQUENCIES) as scene:
        await scene.gets_only(1, 3, 5)
        assert "3 signals may not be had" in caplog.text
        metadata = await scene.subscriber.refresh_metadata()
        assert [each.signal_type for each in metadata.measurements] == ["FREQ"] * 3
        assert (await scene.subscriber.refresh_metadata("FILTER MeasurementDetail WHERE True")).measurements == (
            metadata.measurements
        )


@pytest.mark.parametrize("direction", ends.DIRECTIONS)
async def test_changed_rights_take_effect_on_a_live_stream_within_a_second(direction: str, tmp_path: Path) -> None:
    async with watched(direction, tmp_path, EVERYTHING) as scene:
        await scene.gets_only(0, 1, 2, 3, 4, 5)
        for lines, numbers in (((FREQUENCIES,), (1, 3, 5)), ((EVERYTHING,), range(6)), (('rights = ""',), ())):
            begin = monotonic()
            scene.grant(*lines)
            await scene.gets_only(*numbers)
            assert monotonic() - begin < 1
        assert scene.publisher.statistics.connected == 1


async def test_a_subscriber_that_confirms_no_new_cache_gets_nothing_more_that_it_may_not_see(tmp_path: Path) -> None:
    async with watched("forward", tmp_path, EVERYTHING) as scene:
        await scene.gets_only(0, 1, 2, 3, 4, 5)
        (feed,) = scene.publisher._feeds
        offered = []
        feed.session.change_signals = lambda *cache, **image: offered.append(cache)  # type: ignore[method-assign]
        scene.grant(FREQUENCIES)
        await scene.gets_only(1, 3, 5)
        assert len(offered) == 1
        assert len(feed.session.signals or ()) == 6, "the cache in force is still the old one"


async def test_whoever_is_not_authenticated_sees_nothing_once_there_are_rights(tmp_path: Path) -> None:
    left, right = trusting_pair(tmp_path)
    left.trust("right", right.issuer, EVERYTHING)
    async with (
        Publisher("tcp://127.0.0.1:0", metadata=METADATA, security=left.folder) as publisher,
        Subscriber(publisher.listening[0]) as subscriber,
        asyncio.timeout(10),
    ):
        metadata = await subscriber.refresh_metadata()
        assert metadata.measurements == ()


@pytest.mark.parametrize("lines", [("may_publish = false",), ()])
async def test_a_listening_subscriber_lets_publish_only_who_may(
    lines: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = trusting_pair(tmp_path)
    right.trust("left", left.issuer, *lines)
    if not lines:
        right.trust("else", Issuer("else"), "may_publish = true")
    async with (
        Subscriber("reverse+tls://127.0.0.1:0", security=right.folder, redial=ends.SOON) as subscriber,
        Publisher(subscriber.listening or "", metadata=METADATA, security=left.folder, redial=ends.SOON) as publisher,
        asyncio.timeout(10),
    ):
        await until(lambda: "[not-permitted]" in caplog.text)
        assert subscriber.statistics.connections == 0
        right.trust("left", left.issuer, "may_publish = true")
        await publisher.wait_for_subscription()
        right.trust("left", left.issuer, "may_publish = false")
        begin = monotonic()
        await until(lambda: not subscriber.statistics.connected)
        assert monotonic() - begin < 1
