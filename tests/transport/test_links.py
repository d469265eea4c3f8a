from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import TrustError
from sttp.transport import (
    EndpointError,
    Link,
    Links,
    RedialPolicy,
    TransportError,
    UsageError,
    accepted,
    dialled,
    load_plugins,
)
from sttp.transport.memory import MemoryStream, MemoryTransport, stream_pair

URL = "memory://hub"


class Unpunctual:
    """Time and chance for a policy: waits take none, the largest wait is always drawn, and both are written down."""

    def __init__(self, *, wait: Callable[[], None] = lambda: None) -> None:
        self.bounds: list[float] = []
        self.slept: list[float] = []
        self._wait = wait
        self.policy = RedialPolicy(uniform=self.uniform, sleep=self.sleep)

    def uniform(self, low: float, high: float) -> float:
        assert low == 0.0
        self.bounds.append(high)
        return high / 2

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._wait()
        await asyncio.sleep(0)


class Line:
    """A transport that fails as often as it is told to, and then connects."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.dials = 0

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        return address

    async def dial(self, address: str, /) -> MemoryStream:
        self.dials += 1
        if self.failures:
            self.failures -= 1
            raise TransportError(f"cannot connect to {address}: connection refused")
        return stream_pair()[0]

    async def listen(self, address: str, /) -> MemoryStream:
        raise NotImplementedError


async def links_of(line: Line, time: Unpunctual) -> Links:
    return await dialled(line, "hub", policy=time.policy, url=URL)


async def test_the_first_attempt_is_immediate() -> None:
    time, line = Unpunctual(), Line()
    links = await links_of(line, time)
    assert line.dials == 0
    assert links.bound is None
    async with await anext(links):
        assert line.dials == 1
        assert time.slept == []


async def test_bounds_double_up_to_the_cap_and_the_wait_is_what_was_drawn() -> None:
    time, line = Unpunctual(), Line(failures=9)
    await anext(await links_of(line, time))
    assert time.bounds == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert time.slept == [bound / 2 for bound in time.bounds]


async def test_the_next_link_waits_for_the_end_of_the_last() -> None:
    line = Line()
    links = await links_of(line, Unpunctual())
    first = await anext(links)
    second = asyncio.create_task(anext(links))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not second.done()
    assert line.dials == 1
    await first.close()
    assert isinstance(await second, Link)
    assert line.dials == 2


async def test_only_a_useful_link_starts_the_back_off_anew() -> None:
    time, line = Unpunctual(), Line()
    links = await links_of(line, time)
    for useful in (False, False, False, True, False, True, True):
        async with await anext(links) as link:
            if useful:
                link.proved_useful()
    await anext(links)
    assert time.bounds == [1, 2, 4, 1, 1, 1, 1]
    assert len(time.slept) == 7, "no link is dialed without a wait after the first"


async def test_failures_and_useless_links_count_together() -> None:
    time, line = Unpunctual(), Line(failures=2)
    links = await links_of(line, time)
    async with await anext(links):
        pass
    line.failures = 1
    await anext(links)
    assert time.bounds == [1, 2, 4, 8]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is for people; the audit log is told apart."""
    return [record.getMessage() for record in caplog.records if record.name == "sttp.transport"]


async def test_each_failure_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sttp.transport"):
        await anext(await links_of(Line(failures=2), Unpunctual()))
    assert lines(caplog) == [
        "memory://hub: cannot connect to hub: connection refused; next try in 0.5 s",
        "memory://hub: cannot connect to hub: connection refused; next try in 1.0 s",
    ]


async def test_an_attempt_without_an_answer_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Line):
        async def dial(self, address: str, /) -> MemoryStream:
            self.dials += 1
            if self.dials == 1:
                await asyncio.Event().wait()
            return stream_pair()[0]

    time = Unpunctual()
    policy = RedialPolicy(uniform=time.uniform, sleep=time.sleep, connect_timeout=0.001)
    await anext(await dialled(Silent(), "hub", policy=policy, url=URL))
    assert lines(caplog) == ["memory://hub: no answer within 0.001 s; next try in 0.5 s"]


async def test_each_failure_is_in_the_audit_log_once(caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(Line):
        async def dial(self, address: str, /) -> MemoryStream:
            if self.dials == 2:
                self.dials += 1
                await asyncio.Event().wait()
            if self.dials == 3:
                self.dials += 1
                raise TrustError("it is a stranger", code="unknown-certificate")  # in the log already
            return await super().dial(address)

    time = Unpunctual()
    policy = RedialPolicy(uniform=time.uniform, sleep=time.sleep, connect_timeout=0.001)
    with caplog.at_level(logging.INFO, "sttp.audit"):
        await anext(await dialled(Deaf(failures=2), "hub", policy=policy, url=URL))
    audited = [getattr(record, "audit") for record in caplog.records if record.name == "sttp.audit"]  # noqa: B009
    assert audited == [
        {"event": "refused", "peer": "hub", "direction": "dialed", "reason": reason}
        for reason in (*["cannot connect to hub: connection refused"] * 2, "no answer within 0.001 s")
    ]


async def test_what_can_never_be_dialed_is_not_tried_again() -> None:
    class Never(Line):
        async def dial(self, address: str, /) -> MemoryStream:
            raise EndpointError("no")

    with pytest.raises(EndpointError):
        await anext(await links_of(Never(), Unpunctual()))


class Endless(Unpunctual):
    """Waits that never end, and a way to know that one has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.begun.put_nowait(seconds)
        await asyncio.Event().wait()


async def test_a_wait_can_be_cancelled_and_iteration_goes_on() -> None:
    time, line = Endless(), Line(failures=1)
    links = await links_of(line, time)
    waiting = asyncio.create_task(anext(links))
    await time.begun.get()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    again = asyncio.create_task(anext(links))
    await time.begun.get()
    assert line.dials == 1, "an interrupted wait is waited again"
    await links.close()
    with pytest.raises(StopAsyncIteration):
        await again


async def test_closing_ends_an_iteration_that_waits() -> None:
    time = Endless()
    links = await links_of(Line(failures=1), time)

    async def serve() -> str:
        async for _ in links:
            raise AssertionError
        await asyncio.sleep(0)  # the task is not cancelled any longer
        return "ended"

    serving = asyncio.create_task(serve())
    await time.begun.get()
    await links.close()
    await links.close()
    assert await serving == "ended"
    assert serving.cancelling() == 0
    with pytest.raises(StopAsyncIteration):
        await anext(links)


async def test_a_task_that_is_cancelled_while_links_close_stays_cancelled() -> None:
    time = Endless()
    links = await links_of(Line(failures=1), time)
    waiting = asyncio.create_task(anext(links))
    await time.begun.get()
    waiting.cancel()
    await links.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_closing_leaves_links_to_their_users() -> None:
    links = await links_of(Line(), Unpunctual())
    link = await anext(links)
    await links.close()
    await link.stream.send([b"still open"])
    await link.close()


async def test_a_link_closes_its_stream_even_when_its_user_fails() -> None:
    stream, peer = stream_pair()
    with pytest.raises(ZeroDivisionError):
        async with Link(stream):
            raise ZeroDivisionError
    assert await peer.receive_into(bytearray(1)) == 0


async def test_accepted_links_come_many_at_a_time() -> None:
    transport = MemoryTransport()
    links = await accepted(transport, "hub")
    assert links.bound == "hub"
    for _ in range(3):
        await transport.dial("hub")
    taken = [await anext(links) for _ in range(3)]
    assert len({id(link.stream) for link in taken}) == 3
    await links.close()
    with pytest.raises(StopAsyncIteration):
        await anext(links)


async def test_closing_ends_an_iteration_that_listens() -> None:
    links = await accepted(MemoryTransport(), "hub")
    waiting = asyncio.create_task(anext(links))
    await asyncio.sleep(0)
    await links.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_an_address_that_is_taken_is_an_error_at_once() -> None:
    transport = load_plugins().transports["tcp"]
    links = await accepted(transport, "127.0.0.1:0")
    assert links.bound is not None
    with pytest.raises(TransportError, match=rf"^cannot listen on {links.bound}: .*choose another port or stop it"):
        await accepted(transport, links.bound)
    await links.close()


async def test_a_dialing_end_finds_a_listener_that_comes_back() -> None:
    transport = MemoryTransport()
    listener = await transport.listen("hub")

    def reopen() -> None:
        if not opening:
            opening.append(asyncio.ensure_future(transport.listen("hub")))

    opening: list[asyncio.Future[object]] = []
    time = Unpunctual(wait=reopen)
    links = await dialled(transport, "hub", policy=time.policy, url=URL)
    link = await anext(links)
    await listener.close()
    await link.close()
    assert isinstance(await anext(links), Link)
    await asyncio.gather(*opening)


@pytest.mark.parametrize("wrong", [{"base": 0.0}, {"base": 2.0, "cap": 1.0}, {"connect_timeout": 0.0}])
def test_a_policy_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        RedialPolicy(**wrong)


@given(st.integers(0, 10_000))
def test_a_wait_lies_between_nothing_and_the_cap(failures: int) -> None:
    assert 0 <= RedialPolicy().wait(failures) <= 60
