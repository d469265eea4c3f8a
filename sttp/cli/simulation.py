"""Simulated signals: values that follow from the numbers of signal and frame alone, so that anyone can check them."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sttp import ticks
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns

__all__ = ["Simulation"]

_TEXT: Final = re.compile(r"(\d{1,9})(?:@(\d{1,9}))?", re.ASCII)
_MOST_SIGNALS: Final = DEFAULT_LIMITS.signal_index + 1
_MOST_FRAMES_PER_SECOND: Final = 1000
_LATE: Final = 1.0
"""Seconds: when the clock is further away from the next frame, frames are left out or it was set back."""

_NOMINAL: Final = 60.0
_SWING_FRAMES: Final = 600
_SWING: Final = 0.04
_STAGGER: Final = 37
_NOISE: Final = 2.0**-20


@dataclass(frozen=True, slots=True)
class Simulation:
    """So many signals at so many frames a second, on the wall clock.

    A frame's number is the count of frames since 1970, so a time stamp names its frame. A signal swings around 60 by
    0.04 in 600 frames, each a little later than the one before, with a little noise. Only arithmetic that IEEE 754
    rounds correctly is used, so the values are the same binary32 on every computer.

    Attributes:
        signals: how many.
        frames_per_second: how many.
    """

    signals: int
    frames_per_second: int = 60

    @classmethod
    def parse(cls, text: str) -> Simulation:
        """Read `N` or `N@FPS`.

        Raises:
            ValueError: another form, or a number out of range.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not N or N@FPS, for example 100@60")
        simulation = cls(int(match[1]), int(match[2])) if match[2] else cls(int(match[1]))
        if not 1 <= simulation.signals <= _MOST_SIGNALS:
            raise ValueError(f"{simulation.signals} signals: at least 1 and at most {_MOST_SIGNALS}")
        if not 1 <= simulation.frames_per_second <= _MOST_FRAMES_PER_SECOND:
            raise ValueError(
                f"{simulation.frames_per_second} frames a second: at least 1, at most {_MOST_FRAMES_PER_SECOND}"
            )
        return simulation

    def ticks(self, frame: int) -> int:
        """Time of a frame, rounded to 100 ns."""
        seconds, within = divmod(frame, self.frames_per_second)
        return (
            ticks.UNIX_EPOCH
            + seconds * ticks.TICKS_PER_SECOND
            + (within * ticks.TICKS_PER_SECOND + self.frames_per_second // 2) // self.frames_per_second
        )

    def columns(self, frame: int) -> Columns:
        """All signals at one frame; signal number `k` has signal index `k`."""
        number = np.arange(self.signals, dtype=np.int64)
        phase = (frame + number * _STAGGER) % _SWING_FRAMES
        swing = np.abs(4.0 * phase / _SWING_FRAMES - 2.0) - 1.0
        noise = ((number * 2_654_435_761 + frame * 40_503) >> 4) % 1024 - 512
        value = (_NOMINAL + _SWING * swing + _NOISE * noise).astype(np.float32)
        return Columns(
            number.astype(np.int32),
            np.full(self.signals, self.ticks(frame), np.int64),
            np.zeros(self.signals, np.uint32),
            value,
        )

    async def frames(
        self,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> AsyncIterator[Columns]:
        """One frame after another, each when its time has come. Frames that are more than a second late are left out.

        Args:
            clock: seconds since 1970; for tests.
            sleep: waits for a number of seconds; for tests.
        """
        frame = math.ceil(clock() * self.frames_per_second)
        while True:
            wait = frame / self.frames_per_second - clock()
            if abs(wait) > max(_LATE, 2 / self.frames_per_second):
                frame = math.ceil(clock() * self.frames_per_second)
                continue
            await sleep(max(0.0, wait))
            yield self.columns(frame)
            frame += 1
