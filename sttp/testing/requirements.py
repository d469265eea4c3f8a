"""What a transport cannot do, so that the kit does not ask for it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sttp.errors import UsageError

__all__ = ["Requirements"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Requirements of the contract that a medium cannot meet, each with the reason.

    An empty text means that the transport meets it. A reason is a sentence for users; it stands in the report of the
    tests, and belongs into the documentation of the transport.

    ```python
    Requirements(abort_is_told="the kernel shows an aborted Unix socket as one that has ended in order")
    ```

    Attributes:
        half_close: one direction can end while the other stays open. Otherwise `send_eof` ends both, after what was
            sent.
        abort_is_told: the other end of an aborted stream finds it broken. Otherwise it may find it at its end.
        refusal_at_dial: dialing an address where nobody listens fails. Otherwise it may wait for somebody.
        exclusive_address: a second listener at an address fails.
        address_is_free_again: an address can be listened on again as soon as its listener has closed.
        many_streams: several streams can be open at once over one listener.
    """

    half_close: str = ""
    abort_is_told: str = ""
    refusal_at_dial: str = ""
    exclusive_address: str = ""
    address_is_free_again: str = ""
    many_streams: str = ""

    def __post_init__(self) -> None:
        for each in fields(self):
            reason = getattr(self, each.name)
            if not isinstance(reason, str) or (reason and len(reason.split()) < 3):
                raise UsageError(f"{each.name} needs a reason, in a sentence for users, not {reason!r}")

    def unmet(self, needs: tuple[str, ...]) -> str:
        """Why something that has these needs is not asked for; empty when it is."""
        return "; ".join(f"{need}: {reason}" for need in needs if (reason := getattr(self, need)))
