"""`sttp bench`: how much goes through, how soon, and what it costs, on this computer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from sttp.cli.benchmark.measure import measure
from sttp.cli.benchmark.processes import BenchmarkError
from sttp.cli.benchmark.result import Result
from sttp.cli.benchmark.scenario import Direction, Filters, Scenario
from sttp.cli.options import Debug
from sttp.cli.progress import progress
from sttp.cli.run import run
from sttp.limits import DEFAULT_LIMITS
from sttp.subscriber import Encoding
from sttp.transport.endpoint import parse_endpoint

__all__ = ["EXAMPLES", "bench"]

EXAMPLES: Final = """\
\b
Examples:
  sttp bench
  sttp bench --encoding compact --batch 10000
  sttp bench --latency
  sttp bench --subscribers 10 --filters distinct --json
"""

_MOST_SIGNALS: Final = DEFAULT_LIMITS.signal_index + 1
_MOST_IN_A_BATCH: Final = 1_000_000
_MOST_SUBSCRIBERS: Final = 100


def bench(
    signals: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_SIGNALS, help="How many signals the publisher has.")
    ] = 1000,
    batch: Annotated[
        int, typer.Option(metavar="M", min=1, max=_MOST_IN_A_BATCH, help="Measurements handed over by one publish.")
    ] = 1000,
    encoding: Annotated[Encoding, typer.Option(help="How measurements travel.")] = Encoding.TSSC,
    transport: Annotated[
        str,
        typer.Option(
            metavar="SCHEME",
            help="Transport and its layers, as in a URL; or a whole URL to listen on, if addresses are no host:port.",
        ),
    ] = "tcp",
    direction: Annotated[
        Direction, typer.Option(help="Who dials: the subscribers, or in reverse the publisher.")
    ] = Direction.FORWARD,
    subscribers: Annotated[
        int, typer.Option(metavar="K", min=1, max=_MOST_SUBSCRIBERS, help="How many subscribers, each a process.")
    ] = 1,
    filters: Annotated[
        Filters,
        typer.Option(help="Whether all subscribers ask for the same, or each for everything but another signal."),
    ] = Filters.SAME,
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="How long to count.")] = 10.0,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency", help="Publish one measurement each millisecond, and tell how long they take; no batches."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Measure how much goes from a publisher to subscribers, in processes of their own on this computer.

    The publisher sends noisy signals as fast as the slowest subscriber takes them, and nothing is lost. CPU is what a
    process spent, all of it, per million measurements that it published or received.
    """
    scenario = Scenario(
        signals=signals,
        batch=1 if latency else batch,
        encoding=encoding,
        transport=transport,
        direction=direction,
        subscribers=subscribers,
        filters=filters,
        seconds=seconds,
        latency=latency,
    )
    parse_endpoint(scenario.url)  # complain before anything is started
    run(_bench(scenario, as_json=as_json))


@dataclass(slots=True)
class _State:
    text: str = ""
    share: float = 0.0

    def change(self, text: str, share: float) -> None:
        self.text, self.share = text, share


async def _bench(scenario: Scenario, *, as_json: bool) -> None:
    state = _State()
    with progress(lambda: state.text, lambda: state.share):
        result = await measure(scenario, state.change)
    if as_json:
        print(json.dumps(result.to_dict()))
    else:
        _print(result)
    if result.lost:
        raise BenchmarkError(f"{result.lost} measurements were dropped or gaps seen")


def _print(result: Result) -> None:
    about = result.about
    load = "" if about["load"] is None else f", load {about['load']:.1f} when it began"
    print(f"{result.scenario}; {result.seconds:.1f} s")
    print(
        f"{about['processors']} processors ({about['machine']}){load}; Python {about['python']},"
        f" loops {about['loops']}, event loop of {about['event_loop']}"
    )
    for name, value in result.lines():
        print(f"  {name:20} {value}")
