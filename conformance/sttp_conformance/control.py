"""The control channel: requests as JSON lines on stdin, answers on stdout (`ADAPTER.md`).

Through it the suite is the application of the implementation: it publishes, and asks what was received.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any, Final

from sttp_conformance.process import Process
from sttp_conformance.violation import Violation

__all__ = ["ControlChannel", "ControlError", "UnsupportedRequest"]

_LATE: Final = 10.0
"""Seconds after which an answer is late. A request asks for nothing that takes long."""

_NEVER: Final = 30.0
"""Seconds after which no answer is expected any more."""


class ControlError(Violation):
    """The control channel does not work: garbage, an answer too late, or none."""


class UnsupportedRequest(ControlError):
    """A request was answered with `unsupported`."""


class ControlChannel:
    """Asks a running implementation to do something.

    Attributes:
        altered: changes answers, for mutants; None leaves them alone.
        asked: changes the fields of requests, for mutants; None leaves them alone.
    """

    def __init__(self, process: Process, end: str) -> None:
        self._process = process
        self._end = end
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._garbage = ""
        self.altered: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        self.asked: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        process.stdout.take = self._take

    async def ask(self, request: str, /, *, within: float = _LATE, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Args:
            request: its name, such as `publish`.
            within: seconds after which the answer is late, for those that ask for much.
            arguments: what belongs to it.

        Returns:
            The answer, an object.

        Raises:
            UnsupportedRequest: the implementation does not know the request.
            ControlError: it answered with an error, with something that is no answer, too late, or not at all.
        """
        number = next(self._numbers)
        fields = self.asked(request, arguments) if self.asked is not None else arguments
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        began = answer.get_loop().time()
        try:
            await self._process.write(json.dumps({"id": number, "do": request, **fields}))
            found = await self._answer(answer, request, within)
        except OSError:
            await self._process.ended()
            raise ControlError(self._gone(request)) from None
        finally:
            self._waiting.pop(number, None)
        took = answer.get_loop().time() - began
        if took > within:
            raise ControlError(f"{self._end}: {request!r} is answered late, after {took:.1f} s of at most {within:g} s")
        if found.get("unsupported"):
            raise UnsupportedRequest(f"{self._end}: {request!r} is answered with unsupported")
        if "error" in found:
            raise ControlError(f"{self._end}: {request!r} is answered with an error: {found['error']}")
        return self.altered(request, found) if self.altered is not None else found

    async def _answer(self, answer: asyncio.Future[dict[str, Any]], request: str, within: float) -> dict[str, Any]:
        ended = asyncio.ensure_future(self._process.ended())
        never = within + _NEVER - _LATE
        both: list[asyncio.Future[Any]] = [answer, ended]
        try:
            await asyncio.wait(both, timeout=never, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if ended.done():
                raise ControlError(self._gone(request))
        finally:
            ended.cancel()
            answer.cancel()
        said = f"; it said {self._garbage!r}, which is no answer" if self._garbage else ""
        raise ControlError(f"{self._end}: {request!r} is not answered within {never:g} s{said}")

    def _gone(self, request: str) -> str:
        return f"{self._end}: the process ended with {request!r} unanswered: {self._process.how_it_ended()}"

    def _take(self, line: str) -> None:
        try:
            answer = json.loads(line)
            number = answer["id"]
        except (ValueError, TypeError, KeyError):
            self._garbage = self._garbage or line[:200]
            return
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
