"""Admission: who may come near a listener, by address alone; and a thousand strangers who keep nobody out."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from ends import SOON
from parties import trusting_pair
from sttp import Publisher, Subscriber, TrustError
from sttp.metadata import simulated_metadata
from sttp.security import Admission, AdmissionPolicy, Guest, Reason, source_of

STRANGERS = 1000
METADATA = simulated_metadata(2)


class Door:
    """An admission, and what became of those whom it has crowded out."""

    def __init__(self, **policy: float) -> None:
        self.admission = Admission(AdmissionPolicy(**policy))  # type: ignore[arg-type]
        self.crowded_out: list[str] = []

    def enter(self, source: str, now: float = 0.0, name: str = "") -> Guest:
        return self.admission.enter(source, lambda error: self.crowded_out.append(name or source), now=now)

    def refuses(self, source: str, now: float = 0.0) -> str | None:
        try:
            self.enter(source, now).proved()
        except TrustError as error:
            return error.code
        return None


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("127.0.0.1:41233", "127.0.0.1"),
        ("[2001:db8:1:2:3::4]:7165", "2001:db8:1:2::/64"),
        ("[fe80::1%eth0]:7165", "fe80::/64"),
        ("hub#2", "hub"),
        ("/run/sttp.sock", "/run/sttp.sock"),
    ],
)
def test_a_source_is_an_address_or_the_network_of_one(peer: str, source: str) -> None:
    assert source_of(peer) == source


def test_a_source_may_begin_so_many_at_once_and_so_many_a_second() -> None:
    door = Door(burst=3, rate=2)
    assert [door.refuses("a") for _ in range(4)] == [None, None, None, Reason.TOO_FAST]
    assert door.refuses("b") is None
    assert [door.refuses("a", 1.0) for _ in range(3)] == [None, None, Reason.TOO_FAST]
    assert [door.refuses("a", 1000.0) for _ in range(4)] == [None, None, None, Reason.TOO_FAST]
    assert door.admission.turned_away == {Reason.TOO_FAST: 3}


def test_a_source_may_have_so_many_whether_they_have_proved_themselves_or_not() -> None:
    door = Door(per_source=2)
    first, _ = door.enter("a"), door.enter("a")
    first.proved()
    assert door.refuses("a") == Reason.TOO_MANY_CONNECTIONS
    assert door.refuses("b") is None
    first.left(now=0.0)
    first.left(now=0.0)
    assert door.refuses("a") is None


def test_of_those_who_prove_nothing_the_oldest_of_the_most_crowded_source_gives_way() -> None:
    door = Door(pending=3)
    door.enter("a", name="a1")
    door.enter("b", name="b1")
    door.enter("b", name="b2")
    door.enter("c", name="c1").proved()
    assert door.crowded_out == ["b1"]
    door.enter("d", name="d1")
    assert door.crowded_out == ["b1"], "c1 has proved itself and takes no room"
    door.enter("e", name="e1")
    assert len(door.crowded_out) == 2
    assert door.admission.pending == 3


def test_who_offends_again_and_again_is_shut_out_for_a_while() -> None:
    door = Door(offences=3, forgiveness=10.0, penalty=30.0)
    for _ in range(3):
        door.enter("a").left(now=0.0)
    assert door.refuses("a", 29.0) == Reason.SHUT_OUT
    assert door.refuses("b", 29.0) is None
    assert door.refuses("a", 31.0) is None


def test_offences_are_forgiven_and_proving_oneself_is_none() -> None:
    door = Door(offences=3, forgiveness=10.0)
    for now in range(0, 200, 9):
        guest = door.enter("good", now)
        guest.proved()
        guest.left(now=now)
    for now in range(0, 400, 20):
        door.enter("slow", now).left(now=now)
    assert door.refuses("good", 400.0) is door.refuses("slow", 400.0) is None


def test_who_had_to_give_way_has_not_offended() -> None:
    door = Door(pending=1, offences=2)
    for _ in range(10):
        door.enter("a")
    assert len(door.crowded_out) == 9
    assert door.refuses("a") is None


def test_no_more_sources_are_remembered_than_the_policy_allows() -> None:
    door = Door(sources=100)
    for number in range(1000):
        door.enter(str(number)).left(now=0.0)
    assert len(door.admission._sources) == 100


def test_a_flood_does_not_fill_the_log() -> None:
    door = Door(burst=1)
    door.enter("a")
    lines = []
    for number in range(100):
        try:
            door.enter("a", now=number / 1e6)
        except TrustError as error:
            lines.append(door.admission.line("a:1", error, now=number / 100))
    assert [line is not None for line in lines].count(True) == 1
    with pytest.raises(TrustError) as caught:
        door.enter("a", now=1e-3)
    assert "(and 99 others)" in (door.admission.line("a:1", caught.value, now=2.0) or "")


# --- a thousand of them, from many addresses


@asynccontextmanager
async def besieged(address: str, say: bytes) -> AsyncIterator[list[socket.socket]]:
    """A thousand connections from 250 addresses of the loopback, each of which says a little and then nothing."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    sockets = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    try:
        for number in range(STRANGERS):
            stranger = socket.socket()
            stranger.setblocking(False)
            stranger.bind((f"127.0.1.{1 + number % 250}", 0))
            sockets.append(stranger)
            await loop.sock_connect(stranger, (host, int(port)))
            with suppress(OSError):  # it may have been turned away already
                await loop.sock_sendall(stranger, say)
        yield sockets
    finally:
        for each in sockets:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs addresses of the loopback, and /proc")
@pytest.mark.parametrize(("scheme", "said"), [("tls", HALF_A_HELLO), ("tcp", b"")], ids=["tls", "tcp"])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
async def test_a_thousand_strangers_keep_a_good_peer_waiting_for_less_than_two_seconds(
    direction: str, scheme: str, said: bytes, tmp_path: Path
) -> None:
    left, right = trusting_pair(tmp_path)
    publishing = {"metadata": METADATA, "redial": SOON, "security": left.folder}
    subscribing = {"redial": SOON, "security": right.folder}
    if direction == "forward":
        listening: Publisher | Subscriber = Publisher(f"{scheme}://127.0.0.1:0", **publishing)
    else:
        listening = Subscriber(f"reverse+{scheme}://127.0.0.1:0", **subscribing)
    async with listening, asyncio.timeout(30):
        url = listening.listening[0] if isinstance(listening, Publisher) else listening.listening
        assert url is not None
        gc.collect()
        before = resident()
        async with besieged(url.partition("://")[2], said):
            begin = monotonic()
            if isinstance(listening, Publisher):
                async with Subscriber(url, **subscribing):
                    await listening.wait_for_subscription()
            else:
                async with Publisher(url, **publishing) as publisher:
                    await publisher.wait_for_subscription()
            assert monotonic() - begin < 2
            assert resident() - before < 50e6


async def test_those_in_a_crowd_are_counted(tmp_path: Path) -> None:
    policy = AdmissionPolicy(pending=4)
    async with Publisher("tcp://127.0.0.1:0", metadata=METADATA, admission=policy, max_connections=1) as publisher:
        streams = [
            await asyncio.open_connection("127.0.0.1", int(publisher.listening[0].rpartition(":")[2]))
            for _ in range(10)
        ]
        async with asyncio.timeout(10):
            while publisher.statistics.turned_away < 6:  # noqa: ASYNC110 - it is about time
                await asyncio.sleep(0.01)
            assert publisher.statistics.connected == 0
            async with Subscriber(publisher.listening[0]):
                await publisher.wait_for_subscription()
        for _, writer in streams:
            writer.close()
