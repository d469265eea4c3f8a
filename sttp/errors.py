"""Every exception that leaves this package, by whose fault it is.

```
STTPError
├── UsageError              ours: the caller asked for something that cannot be; nothing was sent
│   ├── EndpointError       a URL that cannot be understood, or a scheme that nobody provides
│   ├── SecurityError       certificates, keys or a trust configuration of our own that cannot be used
│   └── ClosedError         the session, connection, publisher or subscriber has already ended
├── ProtocolError           the peer's: it broke the rules and costs itself its connection
│   ├── FrameError          a frame that cannot be: too long, or with a header that lies
│   ├── MessageError        a message that cannot be read
│   ├── SequenceError       a message that may not be said now
│   └── LimitError          a length, count, depth or inflated size beyond a named limit
├── RefusedError            the peer's decision: it answered Failed, or refused the connection
├── TransportError          the world's: unreachable, reset, address in use
│   ├── TrustError          the other end is not trusted, or does not trust us
│   └── SilenceError        the peer said nothing for too long
├── OverrunError            a consumer too slow for a queue whose policy is to disconnect
├── MetadataError           a metadata document that cannot be read
├── FilterError             a filter expression that cannot be read or evaluated
└── PluginError             a plugin that cannot be loaded, or two that claim one name
```

Exceptions of other libraries are translated once, where they enter. A `ProtocolError` says which section of
`wire.md` was broken, which is a part of the documentation: docs/reference/protocol.
"""

from __future__ import annotations

__all__ = [
    "ClosedError",
    "EndpointError",
    "FilterError",
    "FrameError",
    "LimitError",
    "MessageError",
    "MetadataError",
    "OverrunError",
    "PluginError",
    "ProtocolError",
    "RefusedError",
    "STTPError",
    "SecurityError",
    "SequenceError",
    "SilenceError",
    "TransportError",
    "TrustError",
    "UsageError",
]


class STTPError(Exception):
    """Base of all exceptions of this package."""


class UsageError(STTPError, ValueError):
    """The caller asked for something that cannot be. Nothing was sent."""


class EndpointError(UsageError):
    """A URL that cannot be understood, or whose scheme, layer or connectivity model nobody provides."""


class SecurityError(UsageError):
    """Certificates, keys or a trust configuration of our own that cannot be used. The text says what to do."""


class ClosedError(UsageError):
    """The session, connection, publisher or subscriber has already ended."""


class ProtocolError(STTPError):
    """The peer broke the rules.

    Attributes:
        reason: what it did wrong, in one sentence without the clause.
        clause: the section of `wire.md` that it broke, such as `"1.4"`; empty when none fits.
    """

    def __init__(self, reason: str, *, clause: str = "") -> None:
        self.reason = reason
        self.clause = clause
        super().__init__(f"{reason} (wire.md {clause})" if clause else reason)


class FrameError(ProtocolError):
    """A frame that cannot be: too long, or a response whose inner length lies (1.3, 1.4)."""


class MessageError(ProtocolError):
    """A message whose payload cannot be read."""


class SequenceError(ProtocolError):
    """A message that may not be said in this phase of the conversation (9.2, 9.3)."""


class LimitError(ProtocolError):
    """A length, count, depth or inflated size beyond a limit of `sttp.limits`; refused before memory is taken.

    Attributes:
        limit: name of the limit, an attribute of `sttp.limits.Limits`.
    """

    def __init__(self, reason: str, *, limit: str, clause: str = "") -> None:
        self.limit = limit
        super().__init__(reason, clause=clause)


class RefusedError(STTPError):
    """The peer answered Failed: to a command of ours, or to the connection as a whole.

    Attributes:
        reason: the text that the peer sent.
        what: what it refused, such as `"subscription"`; `"connection"` for the connection as a whole (7.12).
    """

    def __init__(self, reason: str, *, what: str = "request") -> None:
        self.reason = reason
        self.what = what
        super().__init__(f"the peer refused the {what}: {reason or 'no reason given'}")


class TransportError(STTPError):
    """The world failed: name not found, refused, unreachable, reset, address in use."""


class TrustError(TransportError):
    """The other end is not one that is trusted here, or it does not trust us. Nothing of STTP was exchanged.

    Attributes:
        reason: what was found, in a sentence.
        code: stable code of the reason, one of `sttp.security.Reason`.
    """

    def __init__(self, reason: str, *, code: str) -> None:
        self.reason = reason
        self.code = code
        super().__init__(f"{reason} [{code}]")


class SilenceError(TransportError):
    """The peer said nothing for longer than it may (7.8, 9.7)."""


class OverrunError(STTPError):
    """A consumer was too slow for its queue, and the queue's policy is to disconnect."""


class MetadataError(STTPError):
    """A metadata document that cannot be read, or one beyond a limit."""


class FilterError(STTPError):
    """A filter expression that cannot be read or evaluated. Its text is short, and can be sent to a peer.

    Attributes:
        reason: what is wrong, in one sentence.
        line: line of the place, from 1; 0 when there is no one place.
        column: column of the place, in characters from 1; 0 when there is no one place.
        excerpt: the text around the place, and in a second line a caret under it; empty when there is no one place.
    """

    def __init__(self, reason: str, *, line: int = 0, column: int = 0, excerpt: str = "") -> None:
        self.reason = reason
        self.line = line
        self.column = column
        self.excerpt = excerpt
        super().__init__(f"line {line}, column {column}: {reason}\n{excerpt}" if line else reason)


class PluginError(STTPError):
    """A plugin that cannot be loaded, or two plugins that claim one name."""
