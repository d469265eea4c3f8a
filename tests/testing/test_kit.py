"""The kit: it passes what is sound, finds what is broken by the check meant for it, and says what it skips."""

from __future__ import annotations

import asyncio
import time
import unittest
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from broken_at_once import BROKEN_AT_ONCE
from broken_pushing import BROKEN_PUSHING
from broken_transports import BROKEN, EndsBothWays, Wrapping
from sttp.testing import checks, ends_of_streams, pushing, sending_at_once, sessions
from sttp.testing.transport import (
    CHECKS,
    KIT,
    BrokenPromiseError,
    Check,
    Requirements,
    Subject,
    TransportKit,
    run_check,
)
from sttp.transport import Plugins, Transport, TransportError, UsageError, load_plugins
from sttp.transport.memory import MemoryTransport

Broken = dict[str, tuple[Callable[[], tuple[Transport, str]], str, str]]

NAMED = {check.name: check for check in CHECKS}
MEANT = [meant for _, meant, _ in BROKEN.values()]


def with_transport(transport: Transport) -> Plugins:
    found = load_plugins()
    return replace(found, transports={**found.transports, "tried": transport})


def subject(make: Callable[[], tuple[Transport, str]]) -> Subject:
    transport, address = make()
    return Subject(f"tried://{address}", plugins=with_transport(transport))


# --- what is sound passes


class TestTcp(TransportKit):
    url = "tcp://127.0.0.1:0"


class TestTcpOnUvloop(TestTcp):
    """As the commands run it where uvloop is installed."""

    def run(self, check: Check) -> None:
        type(self).loop_factory = pytest.importorskip("uvloop").new_event_loop
        super().run(check)


class TestMemory(TransportKit):
    url = "tried://hub"

    def plugins(self) -> Plugins:
        return with_transport(MemoryTransport())


class TestMemoryInSmallPieces(TestMemory):
    """A stream that is always cut, and never takes much."""

    def plugins(self) -> Plugins:
        return with_transport(MemoryTransport(capacity=8000, cut=500))


# --- what is broken is found


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_by_the_check_meant_for_it(name: str) -> None:
    make, meant, complaint = BROKEN[name]
    with pytest.raises(BrokenPromiseError, match=complaint):
        run_check(NAMED[meant], subject(make), patience=5)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_in_one_way_passes_the_checks_for_the_others(name: str) -> None:
    make, meant, _ = BROKEN[name]
    for other in QUICK - {meant} - ALSO.get(name, set()):
        run_check(NAMED[other], subject(make), patience=5)


QUICK = set(MEANT) - {"a_thousand_connects", "backpressure", "turns_of_others"}
ALSO = {
    "blocking the loop": QUICK - {"order"},
    "lost short reads": {"a_cancelled_receive"},
    "no backpressure": {"cancelling_is_heeded"},
    "swallowed cancellation": {"a_cancelled_receive"},
}
"""What else is noticed for good reason, as a send that never waits cannot be cancelled; or what would take long."""


@pytest.mark.parametrize(
    ("asked", "broken", "patience", "name"),
    [(pushing, BROKEN_PUSHING, 5, name) for name in BROKEN_PUSHING]
    + [(sending_at_once, BROKEN_AT_ONCE, 10, name) for name in BROKEN_AT_ONCE],
)
def test_what_a_stream_can_besides_and_does_wrong_is_found_by_the_check_meant_for_it(
    asked: ModuleType, broken: Broken, patience: float, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "_LATEST_S", 1.0)
    make, meant, complaint = broken[name]
    if meant:
        with pytest.raises(BrokenPromiseError, match=complaint):
            run_check(NAMED[meant], subject(make), patience=patience)
    else:
        for check in asked.CHECKS:
            run_check(check, subject(make), patience=patience)


@pytest.mark.parametrize(("asked", "broken"), [(pushing, BROKEN_PUSHING), (sending_at_once, BROKEN_AT_ONCE)])
def test_every_check_of_what_a_stream_can_besides_has_something_broken_that_it_finds(
    asked: ModuleType, broken: Broken
) -> None:
    assert {meant for _, meant, _ in broken.values() if meant} == {check.name for check in asked.CHECKS}


class Stubborn(MemoryTransport):
    """Never ends, not even when it is cancelled."""

    async def dial(self, address: str, /):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if getattr(self, "tired", False):
                    raise
                self.tired = True


class Asleep(MemoryTransport):
    """Holds up the event loop for good; well, for a while."""

    async def dial(self, address: str, /):
        time.sleep(1)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().dial(address)


class Careless(MemoryTransport):
    """Starts tasks and forgets them."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.work = work

    async def dial(self, address: str, /):
        self.task = asyncio.get_running_loop().create_task(self.work())
        return await super().dial(address)


async def fails() -> None:
    raise KeyError("nobody sees that")


@pytest.mark.parametrize(
    ("transport", "complaint"),
    [
        (Stubborn(), "waits for something that does not come, for 0.5 s|did not end within 0.5 s"),
        (Asleep(), r"the event loop has been blocked for 0.* s(.|\n)*time\.sleep"),
        (Careless(lambda: asyncio.sleep(60)), "tasks are left behind: .*sleep"),
    ],
    ids=["never ends", "blocks for good", "leaves tasks"],
)
def test_what_hangs_or_stays_is_found_by_any_check(
    transport: Transport, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_BLOCKED_S", 0.3)
    monkeypatch.setattr(checks, "_GRACE_S", 0.1)
    with pytest.raises(BrokenPromiseError, match=complaint):
        run_check(NAMED["shape"], subject(lambda: (transport, "hub")), patience=0.5)


# --- what cannot be, and what is not asked


class WithoutHalfClose(TestMemory):
    __test__ = False
    requirements = Requirements(half_close="this medium ends both ways at once")

    def plugins(self) -> Plugins:
        return with_transport(Wrapping(MemoryTransport(), EndsBothWays))


class WithoutHalfCloseAndReason(WithoutHalfClose):
    requirements = Requirements()


@pytest.mark.parametrize("name", [check.name for check in (*ends_of_streams.CHECKS, *sessions.CHECKS)])
def test_everything_else_is_asked_of_a_medium_that_cannot_do_one_thing(name: str) -> None:
    if name != "half_close":
        WithoutHalfClose().run(NAMED[name])
    else:
        with pytest.raises(unittest.SkipTest):
            WithoutHalfClose().run(NAMED[name])
        with pytest.raises(TransportError):
            WithoutHalfCloseAndReason().run(NAMED[name])


def test_what_a_transport_cannot_do_is_skipped_with_the_reason() -> None:
    with pytest.raises(unittest.SkipTest, match="does not meet half_close: this medium ends both ways at once"):
        WithoutHalfClose().test_half_close()
    WithoutHalfClose().test_order()


@pytest.mark.parametrize("reason", ["no", True, "cannot do"])
def test_what_a_transport_cannot_do_needs_a_reason(reason: object) -> None:
    with pytest.raises(UsageError, match="half_close needs a reason"):
        Requirements(half_close=reason)


def test_checks_that_came_later_are_skipped_for_whoever_asks_for_less() -> None:
    class Pinned(TestMemory):
        kit = KIT - 1

    with pytest.raises(unittest.SkipTest, match=f"version {KIT} of the kit brought it"):
        Pinned().test_order()


def test_every_check_says_what_is_promised_and_is_a_test() -> None:
    assert len(NAMED) == len(CHECKS) >= 40
    for check in CHECKS:
        assert check.promise.endswith("."), check.name
        assert getattr(TransportKit, f"test_{check.name}").__doc__ == check.promise
        assert 1 <= check.since <= KIT
        assert not Requirements().unmet(check.needs)


def test_a_url_with_a_direction_or_without_anything_is_refused() -> None:
    with pytest.raises(UsageError, match="leave out reverse"):
        Subject("reverse+tcp://127.0.0.1:0")
    with pytest.raises(UsageError, match="needs a url"):
        TransportKit().test_order()
