"""The picture that reverse connections exist for, played with real packets.

A secure zone, a router whose filter lets connections out and none in, and the outside: three network namespaces on this
computer. It needs Linux, root, iproute2 and nftables; `make firewall` runs it, in about a minute.

Exit code 0: all of it holds; 1: something does not; 77: it cannot be played here, and the line on stdout says why.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from broken_link import both_ends_notice_and_return
from network import INSIDE, OUTSIDE, CommandError, network
from program import PATIENCE
from recording import Recording
from stage import Stage
from story import SceneError, Story

_IMPOSSIBLE: Final = 77
"""Exit code of a test that cannot be run here, as automake has it."""

_MEASUREMENTS: Final = 48_000
"""How many the recording has."""


async def play(stage: Stage, recording: Recording) -> None:
    """Play all parts.

    Args:
        stage: where.
        recording: what is published.

    Raises:
        SceneError: something is not as it should be.
    """
    story, net = stage.story, stage.net
    story.chapter("1. Forward: the subscriber dials inward, and the filter refuses it")
    await _forward_is_refused(stage, recording)
    before = net.counters()
    story.chapter("2. Reverse: the publisher dials outward, and the recording of a grid fault streams out")
    await _reverse_streams(stage, recording)
    story.chapter("3. The counters of the filter: what passed, and in which direction it was opened")
    _counters_prove_it(story, before, net.counters())
    story.chapter("4. A link that breaks without a word: a stream in reverse, and one forward for comparison")
    await both_ends_notice_and_return(stage)


async def _forward_is_refused(stage: Stage, recording: Recording) -> None:
    async with (
        stage.inside("publish", "tcp://:7165", *_files(recording), listens=True) as publisher,
        stage.outside("subscribe", f"tcp://{INSIDE}:7165") as subscriber,
    ):
        refusal = await subscriber.says(f"tcp://{INSIDE}:7165", "connection refused", within=PATIENCE)
        await subscriber.stop()
        await publisher.stop()
    stage.story.hold("reverse+" in refusal.text, "the subscriber was refused, and the line says what to try")
    stage.story.hold(not publisher.lines("connected"), "the publisher has not seen anybody")


async def _reverse_streams(stage: Stage, recording: Recording) -> None:
    take = ("--count", str(_MEASUREMENTS), "--format", "csv")
    async with (
        stage.outside("subscribe", "reverse+tcp://:7165", *take, listens=True) as subscriber,
        stage.inside("publish", f"reverse+tcp://{OUTSIDE}:7165", *_files(recording), "--rate", "0") as publisher,
    ):
        codes = [await each.ends(within=2 * PATIENCE) for each in (subscriber, publisher)]
        await subscriber.writes(_MEASUREMENTS + 1, within=PATIENCE)
    stage.story.hold(codes == [0, 0], "both commands have ended by themselves, and well")
    if difference := recording.difference(subscriber.rows):
        raise SceneError(difference)
    count = len(subscriber.rows) - 1
    stage.story.hold(
        count == _MEASUREMENTS, f"{count} measurements arrived, in order and equal to the file in every bit"
    )


def _files(recording: Recording) -> tuple[str | Path, ...]:
    return ("--csv", recording.csv, "--metadata", recording.metadata)


def _counters_prove_it(story: Story, before: dict[str, int], after: dict[str, int]) -> None:
    for name, count in after.items():
        story.tell("router", f"{name:15} {count:6}, before the reverse connection {before[name]}")
    story.hold(before["inward_rejected"] > 0, "the forward connection of part 1 was rejected, and that was counted")
    story.hold(after["inward_rejected"] == before["inward_rejected"], "in reverse there was nothing to reject")
    story.hold(after["inward_opened"] == 0, "no connection was opened inward")
    story.hold(before["outward_opened"] == 0 and after["outward_opened"] == 1, "one connection was opened outward")
    story.hold(before["inward_replies"] == 0 < after["inward_replies"], "what came in were replies in that connection")
    story.hold(before["outward_sent"] == 0 < after["outward_sent"], "the measurements went out in it")


# --- from the command line


def _problem() -> str | None:
    """Why the scene cannot be played here."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian packages iproute2 and nftables)"
    try:
        with network():
            return None
    except CommandError as error:
        return f"no network namespaces with a filter can be made here: {error}"


async def _played(story: Story) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    data = files("sttp") / "data"
    with (
        as_file(data / "kundur-two-area-fault-60fps.csv") as csv,
        as_file(data / "kundur-two-area-fault.metadata.xml") as metadata,
        network() as net,
    ):
        story.tell("router", f"filter.nft stands between {INSIDE}, inside, and {OUTSIDE}, outside")
        await play(Stage(story, net), Recording(csv, metadata))


def main() -> int:
    """Play the scene, or say whether that is possible; return the exit code."""
    parser = argparse.ArgumentParser(description="A reverse connection through a real firewall, in network namespaces.")
    parser.add_argument("--check", action="store_true", help="only say whether the scene can be played here")
    arguments = parser.parse_args()
    if problem := _problem():
        print(problem)
        return _IMPOSSIBLE
    if arguments.check:
        return 0
    story = Story()
    try:
        asyncio.run(_played(story))
    except (SceneError, CommandError) as error:
        print(f"\nFAILED after {story.seconds:.0f} s: {error}")
        return 1
    except asyncio.CancelledError:
        print(f"\nINTERRUPTED after {story.seconds:.0f} s; everything has been removed.")
        return 1
    print(f"\nALL OF IT HOLDS, after {story.seconds:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
