"""How many million measurements a second the codecs take in and give out, compiled or uncompiled as they are installed.

Each number is the median of runs that alternate with those of the others, with the slowest and the fastest, in
processor time, so that what a shared machine does besides counts little. A batch has the measurements of four frames,
as a publisher would send them; the batch is in memory, and so are the blocks.

    python tests/benchmarks/codec.py [--signals N] [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

from sttp.measurement import Columns
from sttp.wire import _tssc
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact, write_compact
from sttp.wire.tssc import TsscBlock, TsscDecoder, TsscEncoder

BEGIN = 638_400_000_000_000_000
FRAMES_PER_BATCH = 4


def measure(signals: int, frames: int, *, noise: float) -> list[Columns]:
    """Batches of `frames` frames at 30 a second; each value wanders by `noise`, relative."""
    random = np.random.default_rng(1)
    size = signals * FRAMES_PER_BATCH
    nominal = np.tile(random.uniform(50, 500_000, signals), FRAMES_PER_BATCH)
    batches = []
    for frame in range(0, frames, FRAMES_PER_BATCH):
        ticks = BEGIN + np.repeat(np.arange(frame, frame + FRAMES_PER_BATCH, dtype=np.int64) * 333_333, signals)
        value = (nominal * (1 + random.normal(0, noise, size))).astype(np.float32)
        index = np.tile(np.arange(signals, dtype=np.int32), FRAMES_PER_BATCH)
        batches.append(Columns(index, ticks, np.zeros(size, np.uint32), value))
    return batches


def tssc_encode(batches: list[Columns]) -> list[TsscBlock]:
    """All blocks of a new stream."""
    encoder = TsscEncoder()
    return [block for batch in batches for block in encoder.encode(batch)]


def tssc_decode(blocks: list[TsscBlock], signals: int) -> None:
    """Decode a stream from its beginning."""
    decoder = TsscDecoder(signal_indexes=np.ones(signals, np.bool_))
    for block in blocks:
        decoder.decode(block.block, sequence=block.sequence, count=block.count)


def cases(signals: int, frames: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    found: dict[str, Callable[[], object]] = {}
    for name, noise in (("noisy", 1e-4), ("constant", 0.0)):
        batches = measure(signals, frames, noise=noise)
        blocks = tssc_encode(batches)
        found[f"TSSC encode, {name}"] = lambda batches=batches: tssc_encode(batches)  # type: ignore[misc]
        found[f"TSSC decode, {name}"] = lambda blocks=blocks: tssc_decode(blocks, signals)  # type: ignore[misc]
    near, far = BaseTimes(active=0, times=(BEGIN - 1, 0)), BaseTimes(active=0, times=(BEGIN + 333_333 * 2, 0))
    for name, time_format, base_times in (
        ("no time", TimeFormat(include_time=False), None),
        ("full time", TimeFormat(), None),
        ("offsets", TimeFormat(), near),
        ("mixed", TimeFormat(), far),
    ):
        if name == "mixed":
            batches = [batch._replace(ticks=batches[0].ticks) for batch in batches]
        packets = [packet for batch in batches for packet in write_compact(batch, time_format, base_times)]
        found[f"compact encode, {name}"] = lambda batches=batches, form=time_format, bases=base_times: [  # type: ignore[misc]
            write_compact(batch, form, bases) for batch in batches
        ]
        found[f"compact decode, {name}"] = lambda packets=packets, form=time_format, bases=base_times: [  # type: ignore[misc]
            read_compact(body, count, form, bases) for count, body in packets
        ]
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    frames = 400 if _tssc.COMPILED else 8
    total = frames * options.signals
    rates: dict[str, list[float]] = {}
    timed = cases(options.signals, frames)
    for _ in range(options.runs):
        for name, run in timed.items():
            begin = time.process_time()
            run()
            rates.setdefault(name, []).append(total / (time.process_time() - begin) / 1e6)

    about = {
        "loops": "compiled" if _tssc.COMPILED else "uncompiled",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "measurements": total,
        "signals": options.signals,
        "runs": options.runs,
    }
    if options.json:
        print(json.dumps({**about, "millions_per_second": rates}))
        return
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    for name, values in rates.items():
        print(f"{name:28} {statistics.median(values):8.2f} M/s   ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
