"""The audit log: who connected or tried to, from where, as whom, with what verdict, and how it ended.

Records go to the logger `sttp.audit`, at INFO. Each has an attribute `audit`, a mapping that is the same in every
version; the message says the same for people. Keys, passwords and measurements are never in it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sttp.security.identity import PeerIdentity

__all__ = ["Audited", "audit"]

_log: Final = logging.getLogger("sttp.audit")


class Audited(StrEnum):
    """What happened."""

    AUTHENTICATED = "authenticated"
    """The other end has proved who it is."""
    REFUSED = "refused"
    """A connection did not come to be: one end refused the other, or it had no place."""
    CONNECTED = "connected"
    """The other end speaks STTP in the expected role."""
    RIGHTS = "rights"
    """What a peer may see has changed."""
    ENDED = "ended"
    """The connection is over."""


def audit(what: Audited, *, peer: str, identity: PeerIdentity | None = None, **details: str | float | None) -> None:
    """Write a record.

    Args:
        what: what happened.
        peer: where the other end is.
        identity: who it is, as far as that is proved.
        details: what else there is to say, such as `role`, `direction`, `code`, `reason`, `rights` and `seconds`; what
            is None is left out.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    fields: dict[str, str | float] = {"event": what.value, "peer": peer}
    if identity is not None:
        fields |= {"name": identity.name, "fingerprint": identity.fingerprint, "subject": identity.subject}
        if identity.authority:
            fields["authority"] = identity.authority
    fields |= {key: value for key, value in details.items() if value is not None}
    _log.info("%s", _words(fields), extra={"audit": fields})


def _words(fields: Mapping[str, str | float]) -> str:
    return " ".join(f"{key}={value!r}" if " " in str(value) else f"{key}={value}" for key, value in fields.items())
