"""Admission: who may come near a listener at all, decided by the address alone, before memory or a handshake is spent.

A *guest* is a connection from its arrival to its end. It is *pending* until it has proved to be worth a place: by its
handshake at a TLS listener, by its first command at a publisher. Many who prove nothing only crowd out each other.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sttp.errors import TrustError
from sttp.security.reasons import Reason

__all__ = ["DEFAULT_ADMISSION", "Admission", "AdmissionPolicy", "Guest", "source_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicy:
    """What a listener bears. A *source* is an IPv4 address, or the 64 bits of an IPv6 address that name its network.

    Attributes:
        pending: most connections that are pending; beyond it the oldest of the source with the most gives way. Each
            costs a file, a task or two and some 50 KB.
        per_source: most connections of one source, pending or not. A whole control centre may stand behind one address.
        rate: connections that one source may begin in a second, for long. Those who lost a link come back together.
        burst: connections that it may begin at once.
        offences: connections of one source that ended while they were pending, after which it is shut out; one is
            forgiven every `forgiveness` seconds.
        forgiveness: see `offences`.
        penalty: seconds for which it is then shut out.
        sources: most sources that are remembered; the one that has been quiet for longest is forgotten.
    """

    pending: int = 128
    per_source: int = 512
    rate: float = 50.0
    burst: int = 300
    offences: int = 300
    forgiveness: float = 0.5
    penalty: float = 30.0
    sources: int = 10_000


DEFAULT_ADMISSION: Final = AdmissionPolicy()

_LINE_EVERY_S: Final = 1.0
"""A flood must not fill the log."""

_IPV6_NETWORK: Final = 64


def source_of(peer: str) -> str:
    """The source that a label such as `127.0.0.1:41233` belongs to; one without an address is its own."""
    host = peer.rpartition(":")[0].removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return peer.partition("#")[0]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)


@dataclass(slots=True)
class _Source:
    """What is remembered of one source."""

    since: float
    allowance: float
    guests: int = 0
    offences: float = 0.0
    shut_out_until: float = 0.0


@dataclass(slots=True, eq=False)
class Guest:
    """One connection. Whoever admitted it says when it has proved itself, and when it has left.

    Attributes:
        source: where it comes from.
        crowd_out: called when it has to give way; it cuts the connection, which then leaves.
    """

    source: str
    crowd_out: Callable[[TrustError], None]
    _admission: Admission

    def proved(self) -> None:
        """It is worth its place. Again: no effect."""
        self._admission.settle(self)

    def left(self, *, now: float) -> None:
        """It is gone. If it was still pending that is an offence, unless it had to give way. Again: no effect."""
        self._admission.release(self, now=now)


def _ignore(error: TrustError) -> None:
    """Nobody is there any more."""


class Admission:
    """The door of one listener.

    Attributes:
        admitted: connections that came in.
        turned_away: connections that did not, and those that had to give way, by reason code.
    """

    def __init__(self, policy: AdmissionPolicy = DEFAULT_ADMISSION) -> None:
        self._policy = policy
        self._sources: dict[str, _Source] = {}
        self._guests: set[Guest] = set()
        self._pending: dict[Guest, None] = {}  # an ordered set: the oldest comes first
        self._pending_of: Counter[str] = Counter()
        self.admitted = 0
        self.turned_away: Counter[str] = Counter()
        self._told = 0
        self._told_at = float("-inf")

    def line(self, peer: str, error: TrustError, *, now: float) -> str | None:
        """What to log of one that was turned away; None while it is too soon for another line."""
        count = self.turned_away.total() - self._told
        if not count or now - self._told_at < _LINE_EVERY_S:
            return None
        self._told, self._told_at = self._told + count, now
        return f"{peer}: turned away: {error}{f' (and {count - 1} others)' if count > 1 else ''}"

    @property
    def pending(self) -> int:
        """How many are pending."""
        return len(self._pending)

    def enter(self, source: str, crowd_out: Callable[[TrustError], None], *, now: float) -> Guest:
        """Let a connection in, as pending.

        Args:
            source: see `source_of`.
            crowd_out: see `Guest`.
            now: seconds on a clock that only goes forward.

        Raises:
            TrustError: it may not come in; it is to be cut at once.
        """
        known = self._known(source, now)
        try:
            self._check(source, known, now)
        except TrustError as error:
            self.turned_away[error.code] += 1
            raise
        if len(self._pending) >= self._policy.pending:
            self._make_room()
        known.guests += 1
        known.allowance -= 1
        guest = Guest(source, crowd_out, self)
        self._guests.add(guest)
        self._pending[guest] = None
        self._pending_of[source] += 1
        self.admitted += 1
        return guest

    def settle(self, guest: Guest) -> None:
        """See `Guest.proved`."""
        if guest in self._pending:
            del self._pending[guest]
            self._pending_of[guest.source] -= 1
            if not self._pending_of[guest.source]:
                del self._pending_of[guest.source]

    def release(self, guest: Guest, *, now: float) -> None:
        """See `Guest.left`."""
        if guest not in self._guests:
            return
        self._guests.discard(guest)
        guest.crowd_out = (
            _ignore  # it knows the connection, which shall be freed at once and not when garbage is collected
        )
        known = self._known(guest.source, now)
        known.guests = max(known.guests - 1, 0)
        if guest in self._pending:
            self.settle(guest)
            known.offences += 1
            if known.offences >= self._policy.offences:
                known.offences = 0.0
                known.shut_out_until = now + self._policy.penalty

    def _check(self, source: str, known: _Source, now: float) -> None:
        policy = self._policy
        if now < known.shut_out_until:
            raise TrustError(
                f"{source} is shut out for {known.shut_out_until - now:.0f} s, after {policy.offences} connections "
                "that came to nothing",
                code=Reason.SHUT_OUT,
            )
        if known.guests >= policy.per_source:
            raise TrustError(f"{source} has {known.guests} connections already", code=Reason.TOO_MANY_CONNECTIONS)
        if known.allowance < 1:
            raise TrustError(f"{source} connects more often than {policy.rate:g} times a second", code=Reason.TOO_FAST)

    def _make_room(self) -> None:
        crowded = max(self._pending_of, key=self._pending_of.__getitem__)
        oldest = next(guest for guest in self._pending if guest.source == crowded)
        self.settle(oldest)
        self.turned_away[Reason.CROWDED_OUT] += 1
        oldest.crowd_out(
            TrustError(
                f"{self._policy.pending} newer connections, and it has not proved itself", code=Reason.CROWDED_OUT
            )
        )

    def _known(self, source: str, now: float) -> _Source:
        policy = self._policy
        known = self._sources.pop(source, None)
        if known is None:
            if len(self._sources) >= policy.sources:
                self._forget()
            known = _Source(since=now, allowance=policy.burst)
        passed = max(now - known.since, 0.0)
        known.since = now
        known.allowance = min(known.allowance + passed * policy.rate, policy.burst)
        known.offences = max(known.offences - passed / policy.forgiveness, 0.0)
        self._sources[source] = known  # the one that was quiet for longest comes first
        return known

    def _forget(self) -> None:
        quiet = next((name for name, each in self._sources.items() if not each.guests), None)
        self._sources.pop(quiet if quiet is not None else next(iter(self._sources)))
