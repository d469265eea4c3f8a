"""Spoiling: what makes an honest implementation that runs a mutant, and honest again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sttp.transport import ByteStream
from sttp_conformance.bad_tls import BadTls
from sttp_conformance.faults import Answers, Change, Datagrams, Fault, IsAsked, Timers
from sttp_conformance.implementation import Implementation
from sttp_conformance.middle import Middle
from sttp_conformance.mutants import Mutant
from sttp_conformance.rewrites import Conversation, Process
from sttp_conformance.ways import Way

__all__ = ["spoil", "spoiled_timers"]


def spoil(implementation: Implementation, mutant: Mutant) -> None:
    """Let an implementation that runs be wrong from its next connection on; where the mutant is right, honest."""
    way = implementation.way
    faults = mutant.faults if mutant.where.holds(way) else ()
    tls = next((each for each in faults if isinstance(each, BadTls)), None)
    implementation.over = _over(faults, way) if faults and tls is None else lambda stream: stream
    implementation.below = _below(tls, implementation) if tls is not None and way.is_secure else lambda stream: stream
    implementation.datagrams = _datagrams(faults)
    if implementation.control is not None:
        implementation.control.altered = _changed([each.change for each in faults if isinstance(each, Answers)])
        implementation.control.asked = _changed([each.change for each in faults if isinstance(each, IsAsked)])


def spoiled_timers(mutant: Mutant | None) -> Mapping[str, float]:
    """Timers that are not what they should be; they hold from the start of a process, in whatever way."""
    faults = mutant.faults if mutant is not None else ()
    return {name: value for each in faults if isinstance(each, Timers) for name, value in each.seconds.items()}


def _over(faults: tuple[Fault, ...], way: Way) -> Callable[[ByteStream], ByteStream]:
    """What wraps the streams of an implementation."""
    process = Process()

    def wrapped(stream: ByteStream) -> ByteStream:
        process.connections += 1
        return Middle(stream, faults, Conversation(way, process.connections, process))

    return wrapped


def _below(tls: BadTls, implementation: Implementation) -> Callable[[ByteStream], ByteStream]:
    """What wraps the streams of an implementation before the handshake of TLS."""
    credentials, dials = implementation.credentials, implementation.dials
    return lambda stream: tls.around(stream, credentials, dials=dials)


def _datagrams(faults: Iterable[Fault]) -> Callable[[bytes], Iterable[bytes]]:
    """What becomes of a datagram: one change after another."""
    changes = [each.change for each in faults if isinstance(each, Datagrams)]

    def changed(datagram: bytes) -> Iterable[bytes]:
        datagrams: Iterable[bytes] = (datagram,)
        for each in changes:
            datagrams = [out for one in datagrams for out in each(one)]
        return datagrams

    return changed


def _changed(changes: list[Change]) -> Change | None:
    """One change after another; None without any."""

    def changed(request: str, fields: dict[str, Any]) -> dict[str, Any]:
        for each in changes:
            fields = each(request, fields)
        return fields

    return changed if changes else None
