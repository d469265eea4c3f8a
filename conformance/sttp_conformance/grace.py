"""How long a check waits: measured, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Grace"]


@dataclass(frozen=True, slots=True)
class Grace:
    """Times in seconds, calibrated by the round trip that the smoke test measures.

    Waiting for an answer costs nothing where one comes, so it may take long. Waiting for silence costs its whole time,
    so checks ask for something that is answered instead, wherever the protocol has such a thing.

    Attributes:
        reply: within it an answer must have come.
        quiet: what has not come by then does not come.
        start: after so long a process that was started has come to its first attempt to dial.
        step: pause between pieces of a message, so that they are read apart.
    """

    reply: float = 8.0
    quiet: float = 0.3
    start: float = 3.0
    step: float = 0.005

    @classmethod
    def of(cls, round_trip: float, start: float) -> Grace:
        """The grace for an implementation that answers, and comes up, after so many seconds."""
        return cls(
            reply=min(max(8.0, 100 * round_trip), 60.0),
            quiet=min(max(0.25, 20 * round_trip), 3.0),
            start=min(2 * start + 0.25, 60.0),
            step=min(max(0.005, round_trip), 0.1),
        )
