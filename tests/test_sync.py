from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sttp
from interrupting import interrupt
from running import PATIENCE
from sttp import (
    ClosedError,
    EndpointError,
    MeasurementBatch,
    Metadata,
    RefusedError,
    TransportError,
    UsageError,
    sync,
    ticks,
)
from sttp.metadata import simulated_metadata
from sttp.session.events import UserCommandReceived, UserResponseReceived

METADATA = simulated_metadata(3)
NOON = ticks.from_iso("2026-03-14T12:00:00Z")
HERE = "tcp://127.0.0.1:0"

PAIRS = [(sync.Publisher, sttp.Publisher), (sync.Subscriber, sttp.Subscriber)]


def batch(*values: float) -> MeasurementBatch:
    return MeasurementBatch.of(METADATA.signals, range(len(values)), NOON, values)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def publisher() -> Iterator[sync.Publisher]:
    with sync.Publisher(HERE, metadata=METADATA) as publisher:
        yield publisher.within(PATIENCE)


@pytest.fixture
def subscriber(publisher: sync.Publisher) -> Iterator[sync.Subscriber]:
    """One to which measurements flow already."""
    with sync.Subscriber(publisher.listening[0]) as subscriber:
        publisher.wait_for_subscription()
        yield subscriber.within(PATIENCE)


@pytest.fixture(autouse=True)
def no_thread_and_no_socket_is_left() -> Iterator[None]:
    threads, files = set(threading.enumerate()), _open_files()
    yield
    assert set(threading.enumerate()) <= threads
    assert _open_files() <= files


def _open_files() -> int:
    """How many there are; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0


# --- a stream


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_measurements_arrive(reverse: bool) -> None:
    with ExitStack() as stack:
        if reverse:
            subscriber = stack.enter_context(sync.Subscriber(f"reverse+{HERE}"))
            assert subscriber.listening is not None
            publisher = stack.enter_context(sync.Publisher(subscriber.listening, metadata=METADATA))
        else:
            publisher = stack.enter_context(sync.Publisher(HERE, metadata=METADATA))
            subscriber = stack.enter_context(sync.Subscriber(publisher.listening[0]))
        publisher.within(PATIENCE).wait_for_subscription()
        publisher.publish(batch(1.5, 2.5, 3.5))
        received = next(subscriber.within(PATIENCE).measurements())
        assert [(m.signal.tag, m.time, m.value) for m in received] == [
            ("SIM_PMU00001:FREQ", "2026-03-14T12:00:00.0000000Z", 1.5),
            ("SIM_PMU00001:DFDT", "2026-03-14T12:00:00.0000000Z", 2.5),
            ("SIM_PMU00001:FLAG", "2026-03-14T12:00:00.0000000Z", 3.5),
        ]
        assert subscriber.statistics.measurements == publisher.statistics.measurements == 3
    assert publisher.statistics.connected == 0


def test_arguments_reach_the_asynchronous_class() -> None:
    with sync.Publisher(HERE, f"reverse+{HERE}1", HERE, metadata=METADATA) as publisher:
        assert len(publisher.listening) == 2
        assert publisher.signals is publisher.metadata.signals is METADATA.signals


async def test_it_works_in_a_thread_whose_event_loop_runs() -> None:
    """As that of a Jupyter notebook does. Nothing here awaits, and the running loop need not turn."""
    test_measurements_arrive(reverse=False)


def test_metadata_comes(subscriber: sync.Subscriber) -> None:
    metadata = subscriber.refresh_metadata()
    assert [record.tag for record in metadata.measurements] == [record.tag for record in METADATA.measurements]
    assert subscriber.metadata is metadata
    assert len(subscriber.refresh_metadata(filter="FILTER TOP 1 MeasurementDetail WHERE True").measurements) == 1


def test_another_subscription_takes_over(publisher: sync.Publisher) -> None:
    with sync.Subscriber(publisher.listening[0], filter=None) as subscriber:
        subscriber.within(PATIENCE).refresh_metadata()
        subscriber.within(PATIENCE).subscribe(f"{METADATA.measurements[1].signal_id}")
        publisher.wait_for_subscription()
        publisher.publish(batch(1.0, 2.0, 3.0))
        assert next(subscriber.within(PATIENCE).measurements()).value.tolist() == [2.0]
        subscriber.unsubscribe()


def test_events_of_both_ends_arrive(publisher: sync.Publisher, subscriber: sync.Subscriber) -> None:
    subscriber.send_user_command(7, b"how are you?")
    asked = next(event for event in publisher.events() if isinstance(event.event, UserCommandReceived))
    assert (asked.event.number, bytes(asked.event.payload)) == (7, b"how are you?")
    publisher.send_user_response(7, b"fine", command=7, subscriber=asked.peer)
    answer = next(event.event for event in subscriber.events() if isinstance(event.event, UserResponseReceived))
    assert bytes(answer.payload) == b"fine"


def test_changed_metadata_are_followed(publisher: sync.Publisher, subscriber: sync.Subscriber) -> None:
    publisher.change_metadata(simulated_metadata(1))
    assert len(publisher.signals) == 1
    assert len(subscriber.refresh_metadata().measurements) == 1


def test_a_call_that_needs_no_wait_raises_its_own_exception() -> None:
    with (
        sync.Subscriber(f"reverse+{HERE}") as subscriber,
        pytest.raises(UsageError, match="no publisher is connected"),
    ):
        subscriber.send_user_command(1)


def test_single_measurements_come_in_a_chain(publisher: sync.Publisher, subscriber: sync.Subscriber) -> None:
    publisher.publish(batch(1.0, 2.0))
    publisher.publish(batch(3.0))
    single = (measurement.value for received in subscriber.measurements() for measurement in received)
    assert [next(single), next(single), next(single)] == [1.0, 2.0, 3.0]


# --- how long to wait


def test_a_time_limit_belongs_to_the_view_that_was_asked_for(publisher: sync.Publisher) -> None:
    with sync.Subscriber(publisher.listening[0]) as subscriber:
        hasty = subscriber.within(0.01)
        assert type(hasty) is sync.Subscriber
        with pytest.raises(TimeoutError, match=r"nothing within 0\.01 s"):
            next(hasty.measurements())
        assert [record.tag for record in subscriber.refresh_metadata().measurements]
        assert [record.tag for record in hasty.within(None).refresh_metadata().measurements]


def test_a_time_out_loses_nothing(publisher: sync.Publisher, subscriber: sync.Subscriber) -> None:
    received: list[float] = []
    for value in range(20):
        publisher.publish(batch(value))
        try:
            received += next(subscriber.within(0).measurements()).value.tolist()
        except TimeoutError:
            continue
    while len(received) < 20:
        received += next(subscriber.measurements()).value.tolist()
    assert received == list(range(20))


def test_a_publisher_that_waits_for_nobody_times_out() -> None:
    with sync.Publisher(HERE, metadata=METADATA) as publisher, pytest.raises(TimeoutError):
        publisher.within(0.01).wait_for_subscription()


# --- the end


@pytest.mark.parametrize("view", [lambda subscriber: subscriber, lambda subscriber: subscriber.within(PATIENCE)])
def test_an_iteration_ends_when_another_thread_closes(
    publisher: sync.Publisher, pool: ThreadPoolExecutor, view: Callable[[sync.Subscriber], sync.Subscriber]
) -> None:
    subscriber = sync.Subscriber(publisher.listening[0]).open()
    begun = threading.Event()

    def values() -> Iterator[float]:
        for received in view(subscriber).measurements():
            yield from received.value.tolist()
            begun.set()

    received = pool.submit(lambda: list(values()))
    publisher.wait_for_subscription()
    publisher.publish(batch(1.0))
    assert begun.wait(PATIENCE)
    subscriber.close()
    assert received.result(PATIENCE) == [1.0]
    assert list(subscriber.measurements()) == []


def test_another_call_that_waits_is_told_of_the_end(pool: ThreadPoolExecutor) -> None:
    with sync.Subscriber(f"reverse+{HERE}") as subscriber:
        asking = pool.submit(subscriber.refresh_metadata)
        assert subscriber.statistics.connected == 0
    with pytest.raises(ClosedError):
        asking.result(PATIENCE)


def test_leaving_early_leaves_nothing(publisher: sync.Publisher, subscriber: sync.Subscriber) -> None:
    publisher.publish(batch(1.0))
    for received in subscriber.measurements():
        assert received.value.tolist() == [1.0]
        break
    publisher.publish(batch(2.0))
    assert next(subscriber.measurements()).value.tolist() == [2.0]


def test_closing_again_has_no_effect() -> None:
    publisher = sync.Publisher(HERE, metadata=METADATA)
    publisher.close()
    with pytest.raises(ClosedError):
        publisher.open()
    with sync.Publisher(HERE, metadata=METADATA) as publisher:
        publisher.close()
    with pytest.raises(ClosedError):
        publisher.publish(batch(1.0))


def test_what_was_left_open_is_closed_when_the_interpreter_exits() -> None:
    script = f"""
import logging
from sttp import Metadata, sync
logging.basicConfig(level=logging.INFO, format="%(message)s")
publisher = sync.Publisher("{HERE}", metadata=Metadata()).open()
subscriber = sync.Subscriber(publisher.listening[0]).open()
publisher.within({PATIENCE}).wait_for_subscription()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0
    assert "disconnected\n" in re.sub(r"tcp:\S+: ", "", done.stderr)
    assert "Error" not in done.stderr
    assert "Warning" not in done.stderr


# --- Ctrl-C


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that are sent to a thread")
def test_ctrl_c_interrupts_an_iteration(
    publisher: sync.Publisher, subscriber: sync.Subscriber, pool: ThreadPoolExecutor
) -> None:
    received: list[float] = []
    waiting = threading.Event()

    def publish_and_interrupt() -> None:
        waiting.wait(PATIENCE)
        publisher.publish(batch(1.0))
        publisher.drain()
        interrupt()

    def take() -> None:
        waiting.set()
        for each in subscriber.measurements():
            received.extend(each.value.tolist())

    publishing = pool.submit(publish_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        take()
    publishing.result(PATIENCE)
    publisher.publish(batch(2.0))
    while received[-1:] != [2.0]:
        received += next(subscriber.measurements()).value.tolist()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that are sent to a thread")
def test_ctrl_c_leaves_a_with_statement_in_order(publisher: sync.Publisher, pool: ThreadPoolExecutor) -> None:
    waiting = threading.Event()
    pool.submit(lambda: waiting.wait(PATIENCE) and interrupt())

    def wait_for_nobody() -> None:
        with sync.Subscriber(publisher.listening[0]), sync.Subscriber(f"reverse+{HERE}") as subscriber:
            publisher.wait_for_subscription()
            waiting.set()
            subscriber.refresh_metadata()

    with pytest.raises(KeyboardInterrupt):
        wait_for_nobody()


# --- exceptions


def test_a_bad_url_is_met_at_once() -> None:
    with pytest.raises(EndpointError):
        sync.Subscriber("nonsense")


def test_an_address_in_use_is_met_when_opening(publisher: sync.Publisher) -> None:
    with pytest.raises(TransportError, match="in use"), sync.Publisher(publisher.listening[0], metadata=METADATA):
        pass


def test_a_refusal_ends_the_iteration_with_its_own_exception(publisher: sync.Publisher) -> None:
    with sync.Subscriber(publisher.listening[0], filter="FILTER Nonsense WHERE True") as subscriber:
        with pytest.raises(RefusedError):
            next(subscriber.within(PATIENCE).measurements())
        with pytest.raises(RefusedError):
            list(subscriber.within(PATIENCE).measurements())


def test_nothing_comes_before_it_is_opened() -> None:
    with pytest.raises(UsageError, match="not open yet"):
        next(sync.Subscriber(HERE).measurements())


# --- the same surface


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_no_public_member_is_missing(blocking: type, asynchronous: type) -> None:
    """Missing here? Add a line to the class in sttp/sync.py: `_waits`, `_calls`, `_iterates` or `_reads`."""
    assert _public(asynchronous) - _public(blocking) == set()
    assert _public(blocking) - _public(asynchronous) == {"close", "open", "within"}


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_members_say_and_take_the_same(blocking: type, asynchronous: type) -> None:
    assert inspect.signature(blocking) == inspect.signature(asynchronous)
    for name in _public(asynchronous):
        ours, theirs = getattr(blocking, name), getattr(asynchronous, name)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs)
        assert isinstance(ours, property) is isinstance(theirs, property)
        if inspect.isfunction(theirs):
            assert inspect.signature(ours).parameters.keys() == inspect.signature(theirs).parameters.keys()


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS)
def test_nothing_is_left_to_be_awaited(blocking: type, asynchronous: type) -> None:
    for name in _public(asynchronous):
        shown, awaited = (_returned(getattr(kind, name)) for kind in (blocking, asynchronous))
        assert not re.search("Coroutine|Awaitable|Async", shown), name
        assert ("AsyncGenerator" in awaited) is ("Iterator" in shown), name


def _returned(method: object) -> str:
    return str(inspect.signature(method).return_annotation) if callable(method) else ""


def test_a_property_cannot_be_set(publisher: sync.Publisher) -> None:
    with pytest.raises(AttributeError):
        publisher.metadata = Metadata()  # type: ignore[assignment]


def _public(kind: type[Any]) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}
