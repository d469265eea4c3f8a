"""One end of the stream as a process of its own: `python -m sttp.cli.benchmark.end publisher SCENARIO URL...`.

It speaks JSON lines on stdout: first where it listens, if it does. Then it answers every line on stdin with what it has
counted and used until now, and ends when there are no more.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from sttp import ticks
from sttp.cli.benchmark.load import noisy_batches
from sttp.cli.benchmark.scenario import Scenario
from sttp.cli.benchmark.usage import usage
from sttp.cli.loop import loop_factory
from sttp.measurement import MeasurementBatch
from sttp.metadata import simulated_metadata
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.subscriber import Subscriber

__all__ = ["main"]

_IN_FLIGHT: Final = 65_536
"""Measurements that may wait for a subscriber, or four batches if that is more: enough to keep both ends busy."""

_APART: Final = 0.001
"""Seconds between single measurements."""

_LOOK: Final = 0.005
"""Seconds between looks for subscribers."""


class _PublisherEnd:
    """Publishes as fast as its subscribers take, or a measurement each millisecond."""

    def __init__(self, scenario: Scenario, urls: Sequence[str]) -> None:
        self._scenario = scenario
        self._urls = urls
        self._published = 0

    async def run(self) -> None:
        scenario = self._scenario
        metadata = simulated_metadata(scenario.signals)
        async with Publisher(
            *self._urls,
            metadata=metadata,
            overflow=Overflow.WAIT,
            queue_limit=max(_IN_FLIGHT, 4 * scenario.batch),
        ) as publisher:
            _collect_no_more()
            _say(url=publisher.listening[0] if publisher.listening else None)
            pumping = asyncio.create_task(self._pump(publisher))
            while await _asked():
                statistics = publisher.statistics
                _say(
                    **usage()._asdict(),
                    subscriptions=statistics.subscriptions,
                    measurements=self._published,
                    bytes=statistics.bytes_sent,
                    dropped=statistics.dropped,
                )
            pumping.cancel()

    async def _pump(self, publisher: Publisher) -> None:
        while publisher.statistics.subscriptions < self._scenario.subscribers:  # noqa: ASYNC110 - nobody tells of each
            await asyncio.sleep(_LOOK)
        signals = publisher.signals
        if self._scenario.latency:
            while True:
                await publisher.publish(MeasurementBatch.of(signals, [0], ticks.now(), [60.0]))
                self._published += 1
                await asyncio.sleep(_APART)
        for columns in noisy_batches(self._scenario.signals, self._scenario.batch):
            await publisher.publish(MeasurementBatch(columns, signals))
            self._published += len(columns.ticks)


class _SubscriberEnd:
    """Takes batches and counts them; of single measurements it also notes how long they took."""

    def __init__(self, scenario: Scenario, url: str, filter_expression: str) -> None:
        self._scenario = scenario
        self._url = url
        self._filter_expression = filter_expression
        self._latencies: list[float] = []

    async def run(self) -> None:
        async with Subscriber(
            self._url, filter=self._filter_expression, encoding=self._scenario.encoding, with_metadata=False
        ) as subscriber:
            _collect_no_more()
            _say(url=subscriber.listening)
            taking = asyncio.create_task(self._note(subscriber) if self._scenario.latency else _take(subscriber))
            while await _asked():
                statistics = subscriber.statistics
                latencies, self._latencies = self._latencies, []
                _say(
                    **usage()._asdict(),
                    measurements=statistics.measurements,
                    bytes=statistics.packet_bytes,
                    dropped=statistics.dropped,
                    gaps=statistics.gaps + statistics.reconnects,
                    latencies=latencies,
                )
            taking.cancel()

    async def _note(self, subscriber: Subscriber) -> None:
        async for batch in subscriber.measurements():
            took = (ticks.now() - batch.ticks) / ticks.TICKS_PER_SECOND
            self._latencies.extend(np.round(took, 7).tolist())


async def _take(subscriber: Subscriber) -> None:
    async for _ in subscriber.measurements():
        pass


def _collect_no_more() -> None:
    """What is there now stays: as in `sttp publish`, it need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def _asked() -> bool:
    """Wait for a line on stdin; False at its end. In a thread, because only some systems can wait for pipes."""
    return bool(await asyncio.to_thread(sys.stdin.readline))


def main(arguments: Sequence[str]) -> None:
    """Run one end.

    Args:
        arguments: `publisher`, the scenario and URLs; or `subscriber`, the scenario, a URL and a filter expression.
    """
    logging.getLogger("sttp").setLevel(logging.ERROR)
    role, scenario, *rest = arguments
    read = Scenario.from_json(scenario)
    end = _PublisherEnd(read, rest) if role == "publisher" else _SubscriberEnd(read, *rest)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(end.run())


if __name__ == "__main__":
    main(sys.argv[1:])
