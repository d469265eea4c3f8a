"""The loops run without the interpreter's lock, so that threads encode and decode side by side."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest

from codec_loops import ARE_COMPILED, COMPACT_LOOPS, TSSC_LOOPS
from sttp.measurement import Columns

MEASUREMENTS = 50_000


@pytest.fixture
def _nobody_is_interrupted() -> Iterator[None]:
    """A thread gives the lock away only where it says so itself: nobody takes it from it."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(usual)


def _columns(measurements: int) -> Columns:
    return Columns.empty(measurements)._replace(signal_index=np.arange(measurements, dtype=np.int32))


def _tssc_encode(loops: ModuleType, measurements: int) -> Callable[[], object]:
    stream = np.zeros(loops.STREAM_NUMBERS, np.uint64).data
    slots = np.full(measurements, loops.UNSEEN, np.int32).data
    rows = np.zeros((measurements + 2) * loops.ROW_BYTES, np.uint8).data
    out = memoryview(bytearray(20 * measurements + loops.MARGIN))
    columns = _columns(measurements)
    return lambda: loops.Writer(out, stream, slots, rows).encode(*columns, 0)


def _tssc_decode(loops: ModuleType, measurements: int) -> Callable[[], object]:
    stream = np.zeros(loops.STREAM_NUMBERS, np.uint64).data
    slots = np.append(np.full(measurements + 1, loops.UNSEEN, np.int32), np.int32(loops.UNNAMED)).data
    rows = np.zeros((measurements + 2) * loops.ROW_BYTES, np.uint8).data
    block = b"\xff" * (measurements // 8)  # whatever these mean, it takes a while
    reader = loops.Reader(stream, slots, rows)
    reader.fill(*_columns(measurements))
    return lambda: reader.decode(block + bytes(loops.SLACK), len(block), measurements, 0)


def _compact_read(loops: ModuleType, measurements: int) -> Callable[[], object]:
    columns, body = _columns(measurements), bytes(17 * measurements)
    return lambda: loops.read(body, 4, 8, 1, (0, 0), *columns)


def _compact_write(loops: ModuleType, measurements: int) -> Callable[[], object]:
    columns, out = _columns(measurements), np.empty(17 * measurements, np.uint8)
    return lambda: loops.write(*columns, 0, 8, False, 2**32 - 1, 0, 0, out)


def _others_run_meanwhile(call: Callable[[], object], times: int) -> bool:
    """Whether this thread comes to run while another one is inside `call`."""
    inside = done = seen = False

    def work() -> None:
        nonlocal inside, done
        for _ in range(times):
            if seen:
                break
            inside = True
            call()
            inside = False
        done = True

    thread = threading.Thread(target=work)
    thread.start()
    while not (seen or done):
        seen = inside
        time.sleep(0)  # gives the lock away
    thread.join()
    return seen


@pytest.mark.skipif(not ARE_COMPILED, reason="the loops are not compiled here")
@pytest.mark.usefixtures("_nobody_is_interrupted")
@pytest.mark.parametrize(
    ("loops", "call"),
    [
        (TSSC_LOOPS, _tssc_encode),
        (TSSC_LOOPS, _tssc_decode),
        (COMPACT_LOOPS, _compact_read),
        (COMPACT_LOOPS, _compact_write),
    ],
    ids=["TSSC encode", "TSSC decode", "compact read", "compact write"],
)
def test_other_threads_run_while_a_compiled_loop_does(
    loops: dict[str, ModuleType], call: Callable[[ModuleType, int], Callable[[], object]]
) -> None:
    assert _others_run_meanwhile(call(loops["compiled"], MEASUREMENTS), times=20_000)
    # and would not if the lock were held: uncompiled it is
    assert not _others_run_meanwhile(call(loops["uncompiled"], 500), times=3)
