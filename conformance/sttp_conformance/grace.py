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
    """

    reply: float = 8.0
    quiet: float = 0.3

    @classmethod
    def of_round_trip(cls, seconds: float) -> Grace:
        """The grace for an implementation that answers after so many seconds."""
        return cls(reply=min(max(8.0, 100 * seconds), 60.0), quiet=min(max(0.25, 20 * seconds), 3.0))
