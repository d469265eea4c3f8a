"""Lanes: each makes one check after another, with implementations of its own that it keeps running in between."""

from __future__ import annotations

import asyncio
import time
import traceback
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from sttp.codes import Role
from sttp_conformance.adapter import QUICK_TIMERS, Adapter
from sttp_conformance.case import Case
from sttp_conformance.checks import Check
from sttp_conformance.grace import Grace
from sttp_conformance.implementation import Implementation
from sttp_conformance.launcher import LaunchError
from sttp_conformance.mutants import Mutant
from sttp_conformance.recording import Recording
from sttp_conformance.spoiling import spoil, spoiled_timers
from sttp_conformance.verdicts import Verdict
from sttp_conformance.violation import NotSupported, Skip, Violation
from sttp_conformance.ways import Way

__all__ = ["Lane", "Outcome"]

_LONGEST: Final = 60.0
"""Seconds that a check may take. Its own waits are shorter; this ends one that the suite has got wrong."""

_LONGEST_SLOW: Final = 900.0
_LAST_WORDS: Final = 0.3
"""Seconds that a process has to end, when a check has failed, so that its end is told as the reason."""

_STDERR: Final = 20
"""Lines of stderr that are kept with a verdict."""

_SOON: Final = 5.0
"""Seconds of the longest wait before dialing again with which an implementation that dials is kept running."""

_Key: TypeAlias = tuple[Role, Way, tuple[tuple[str, float], ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of making a check in one way.

    Attributes:
        verdict: what came of it.
        message: what was expected and what came, or the reason.
        notes: what the check found worth mentioning.
        recordings: its connections.
        stderr: the last lines of the implementation.
        seconds: how long it took.
    """

    verdict: Verdict
    message: str = ""
    notes: tuple[str, ...] = ()
    recordings: tuple[Recording, ...] = ()
    stderr: tuple[str, ...] = ()
    seconds: float = 0.0


class Lane:
    """Makes checks. As a context manager it leaves no process behind.

    Args:
        adapter: the implementation.
        grace: how long to wait.
        run: a folder for files of this run.
        proving: whether failures are wanted, of mutants: a process is used on after one.
    """

    def __init__(self, adapter: Adapter, grace: Grace, run: Path, *, proving: bool = False) -> None:
        self._adapter = adapter
        self._grace = grace
        self._run = run
        self._proving = proving
        self._mutant: Mutant | None = None
        self._kept: dict[_Key, tuple[AsyncExitStack, Implementation]] = {}

    async def become(self, mutant: Mutant, grace: Grace) -> None:
        """Let what is judged from now on be wrong in a certain way, and let it have another grace."""
        self._grace = grace
        if spoiled_timers(self._mutant) or spoiled_timers(mutant):
            await self.__aexit__()
        self._mutant = mutant
        for _, implementation in self._kept.values():
            spoil(implementation, mutant)

    async def __aenter__(self) -> Lane:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*(stack.aclose() for stack, _ in self._kept.values()))
        self._kept.clear()

    def has(self, role: Role, way: Way) -> bool:
        """Whether an implementation runs for this role and way."""
        return any(key[:2] == (role, way) for key in self._kept)

    async def make(self, check: Check, way: Way) -> Outcome:
        """Make a check in one way. One that fails on an implementation that has served before is made anew.

        So no verdict of failed depends on what other checks have done.
        """
        began = time.monotonic()
        served_before = self._key(check, way) in self._kept and not check.fresh
        outcome = await self._make(check, way)
        is_final = self._proving or bool(self._adapter.addresses)
        if outcome.verdict is Verdict.FAILED and served_before and not is_final:
            first, outcome = outcome, await self._make(check, way)
            if outcome.verdict is not Verdict.FAILED:
                note = f"it failed at first, on a process that had served other checks: {first.message}"
                outcome = Outcome(
                    verdict=outcome.verdict,
                    message=outcome.message,
                    notes=(*outcome.notes, note),
                    recordings=outcome.recordings,
                    stderr=outcome.stderr,
                    seconds=time.monotonic() - began,
                )
        return outcome

    async def _make(self, check: Check, way: Way) -> Outcome:
        began = time.monotonic()
        case: Case | None = None
        implementation: Implementation | None = None
        verdict, message = Verdict.PASSED, ""
        is_slow = check.slow or not all(map(self._adapter.can_set, check.timers))
        longest = _LONGEST_SLOW if is_slow else _LONGEST
        try:
            implementation = await self._implementation(check, way)
            case = Case(check, way, implementation, self._grace)
            async with asyncio.timeout(longest):
                for request in ("report", "events"):
                    if implementation.control is not None and request in self._adapter.control[check.role]:
                        await implementation.control.ask(request)  # what is left of another check is forgotten
                await check.body(case)
        except LaunchError as error:
            verdict, message = Verdict.BROKEN, str(error)
        except Violation as error:
            verdict, message = Verdict.FAILED, str(error)
        except NotSupported as error:
            verdict, message = Verdict.UNSUPPORTED, str(error)
        except Skip as error:
            verdict, message = Verdict.SKIPPED, str(error)
        except TimeoutError:
            verdict, message = Verdict.FAILED, f"the check did not come to an end within {longest:.0f} s"
        except Exception as error:  # noqa: BLE001 - a defect of the suite is told apart, and ends nothing else
            place = traceback.extract_tb(error.__traceback__)[-1]
            verdict = Verdict.BROKEN
            message = f"defect of the suite: {type(error).__name__}: {error} ({place.name}, line {place.lineno})"
        ended = ""
        if implementation is not None and _counts(verdict, check):
            waits = _LAST_WORDS if verdict is Verdict.FAILED and not self._proving else 0.0
            if ended := await implementation.has_ended(within=waits):
                said = f" ({message})" if message else ""
                verdict, message = Verdict.FAILED, f"the process ended with {ended}{said}"
        outcome = Outcome(
            verdict=verdict,
            message=message,
            notes=tuple(case.notes) if case else (),
            recordings=tuple(case.recordings) if case else (),
            stderr=_said(implementation),
            seconds=time.monotonic() - began,
        )
        spent = verdict is not Verdict.PASSED and not (self._proving and verdict is Verdict.FAILED and not ended)
        if check.fresh or spent or not self._is_worth_keeping(check, way):
            await self._drop(self._key(check, way))
        return outcome

    def _key(self, check: Check, way: Way) -> _Key:
        settings = {**QUICK_TIMERS, **check.timers}
        return check.role, way, tuple(sorted(settings.items())), tuple(sorted(check.asks.items()))

    async def _implementation(self, check: Check, way: Way) -> Implementation:
        key = self._key(check, way)
        if check.fresh:
            await self._drop(key)
        if key not in self._kept:
            stack = AsyncExitStack()
            implementation = Implementation(
                self._adapter,
                check.role,
                way,
                dict(key[2]),
                self._run,
                asks=dict(key[3]),
                forced=spoiled_timers(self._mutant),
                listen_first=check.listen_first,
            )
            await stack.enter_async_context(implementation)
            if self._mutant is not None:
                spoil(implementation, self._mutant)
            self._kept[key] = stack, implementation
        return self._kept[key][1]

    def _is_worth_keeping(self, check: Check, way: Way) -> bool:
        implementation = self._kept[self._key(check, way)][1]
        if self._adapter.addresses or not implementation.dials:
            return True
        cap = self._adapter.timer("redial-cap", implementation.settings)
        return cap is not None and cap <= _SOON

    async def _drop(self, key: _Key) -> None:
        if key in self._kept:
            stack, _ = self._kept.pop(key)
            await stack.aclose()


def _counts(verdict: Verdict, check: Check) -> bool:
    """Whether it matters that the process has ended. A check that has one to itself may have ended it on purpose."""
    return verdict is Verdict.FAILED or (verdict is Verdict.PASSED and not check.fresh)


def _said(implementation: Implementation | None) -> tuple[str, ...]:
    if implementation is None or implementation.process is None:
        return ()
    return tuple(implementation.process.stderr.kept)[-_STDERR:]
