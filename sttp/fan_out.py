"""Fan-out: measurements are encoded once for all subscribers that get the same ones in the same form.

What is published is numbered, in *parts*, and every subscriber takes the parts in order (`sttp.backlog`). Subscriptions
of one `PacketForm` share a *stream* of packets: whoever is the first to come to a part encodes it, and the others take
what he has made.

Joining. TSSC compresses against what was sent before, so a subscriber can join a stream only where its codec begins
anew. That costs those who are on it some bytes, nothing else, and it happens at most once in `RESTART_INTERVAL`,
however many want to join. Until then who wants to join encodes for itself. Compact packets depend on their base times
only, so it can be joined everywhere.

A stream goes at the pace of those who are on it. When all of them have fallen behind, who comes later must not have to
wait for them: after `RESTART_INTERVAL` without anything new another stream takes the place of this one, and whoever was
on it leaves it when it moves on.

Leaving. What was encoded is kept up to `KEPT` bytes. Who is further behind than that, or has lost a part, encodes for
itself from there on, and joins again when it has caught up.
"""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from sttp.backlog import Part, Runs
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.routing import Router
from sttp.session.packets import PacketForm, Packets, PacketWriter
from sttp.session.publisher import PublisherSession

__all__ = ["FanOut", "Member"]

RESTART_INTERVAL: Final = 1.0
"""Seconds between two restarts of a stream for those who want to join it. A restart costs some ten bytes a signal."""

KEPT: Final = 4 * 2**20
"""Bytes of packets that are kept for those who are behind: about 2 million measurements."""


class _Made(NamedTuple):
    """A run as packets; `restarts` when they can be read without those before."""

    last: int
    packets: Packets
    restarts: bool

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 500 + sum(map(len, self.packets.frames))


class _Stream:
    """The packets of one form, as they are made for all its members."""

    def __init__(self, form: PacketForm, router: Router, runs: Runs, first: int) -> None:
        self.form = form
        self.members = 0
        #: whether it is still the one of its form
        self.is_current = True
        self._router = router
        self._runs = runs
        self._writer = PacketWriter(form)
        self._next = first
        # by the number of their first part
        self._made: dict[int, _Made] = {}
        self._size = 0
        self._is_wanted = False
        self._restarted = self._moved = monotonic()

    def take(self, first: Part) -> _Made | None:
        """The packets that begin with part `first`; None for who is too far behind."""
        return self._make(first) if first.number == self._next else self._made.get(first.number)

    def can_be_joined(self, first: int) -> bool:
        """Whether one who has not got the packets before part `first` can read those from there on."""
        made = self._made.get(first)
        if made is not None and (made.restarts or not self.form.tssc):
            return True
        self._is_wanted = True
        return first == self._next and self._may_restart

    def is_left_behind(self, first: int) -> bool:
        """Whether nobody has encoded anything for a while, though part `first` is there."""
        return first > self._next and monotonic() - self._moved >= RESTART_INTERVAL

    def forget(self) -> None:
        """Keep nothing for those who are behind: there is nobody else."""
        self._made.clear()
        self._size = 0

    @property
    def _may_restart(self) -> bool:
        return not self.form.tssc or monotonic() - self._restarted >= RESTART_INTERVAL

    def _make(self, first: Part) -> _Made:
        restarts = self._is_wanted and self._may_restart
        if restarts:
            self._writer.restart()
            self._is_wanted = False
            self._restarted = monotonic()
        run = self._runs.at(first)
        packets = self._writer.write(self._router.route(run.signals, run.columns))
        made = _Made(run.last, packets, restarts)
        self._next = run.last + 1
        self._moved = monotonic()
        if self.members > 1 or restarts or self._made:
            self._keep(run.first, made)
        return made

    def _keep(self, first: int, made: _Made) -> None:
        self._made[first] = made
        self._size += made.size
        while self._size > KEPT:
            self._size -= self._made.pop(next(iter(self._made))).size


class FanOut:
    """What the subscribers of one publisher share.

    Attributes:
        runs: makes runs of the backlog.
    """

    def __init__(self) -> None:
        self._streams: dict[Hashable, _Stream] = {}
        self._routers: WeakValueDictionary[int, Router] = WeakValueDictionary()
        self.runs = Runs()

    def router(self, theirs: SignalTable) -> Router:
        """The way of measurements into a table of signals."""
        router = self._routers.get(id(theirs))
        if router is None or router.theirs is not theirs:
            router = self._routers[id(theirs)] = Router(theirs)
        return router

    def join(self, form: PacketForm, router: Router, first: int) -> _Stream | None:
        """The stream of a form, for one who has not got the packets before part `first`; None when that cannot be."""
        stream = self._streams.get(form.key)
        if stream is None or stream.is_left_behind(first):
            if stream is not None:
                stream.is_current = False
            stream = self._streams[form.key] = _Stream(form, router, self.runs, first)
        elif not stream.can_be_joined(first):
            return None
        stream.members += 1
        return stream

    def leave(self, stream: _Stream) -> None:
        """Be no longer a member of a stream."""
        stream.members -= 1
        if stream.members == 1:
            stream.forget()
        elif not stream.members and stream.is_current:
            stream.is_current = False
            del self._streams[stream.form.key]


class Member:
    """One subscriber: on a stream with others, or by itself.

    Args:
        fan_out: what it shares with others.
        session: its session.
    """

    def __init__(self, fan_out: FanOut, session: PublisherSession) -> None:
        self._fan_out = fan_out
        self._session = session
        self._router: Router | None = None
        self._expected: Router | None = None  # held here, because the fan-out knows routers weakly
        self._stream: _Stream | None = None
        self._form: PacketForm | None = None
        self._next = -1
        self._visible: SignalTable | None = None

    def restrict(self, visible: SignalTable | None) -> None:
        """Send nothing more of signals that are not in a table, whatever is subscribed to; None for no restriction.

        Whoever may see less than its subscription holds is served by itself, until it has another one.
        """
        self._visible = visible
        self._router = None

    def expect(self, theirs: SignalTable) -> Router:
        """The way into a table that is going to be subscribed to; it is kept until then, so that it can be prepared."""
        self._expected = self._fan_out.router(theirs)
        return self._expected

    @property
    def source(self) -> SignalTable | None:
        """The publisher's table that measurements came with last; None before the first."""
        return None if self._router is None else self._router.source

    def count(self, batch: MeasurementBatch) -> int:
        """How many measurements of a batch it has subscribed to."""
        router = self._way()
        return 0 if router is None else router.count(batch)

    def send(self, first: Part) -> tuple[int, int]:
        """Send measurements: those of a part, and of those behind it that go along.

        Args:
            first: the part.

        Returns:
            How many measurements were sent, and the number of the last part that had them.
        """
        session = self._session
        router = self._way()
        assert router is not None, "nothing is sent while nothing is subscribed"
        form = session.form if router.visible is None else None
        # a form is made at each handover, where the subscriber's codec begins anew: an equal one is not the same
        stream = self._stream
        if stream is not None and (form is not self._form or first.number != self._next or not stream.is_current):
            self.leave()
            stream = None
        if stream is None and form is not None:
            stream, self._form = self._fan_out.join(form, router, first.number), form
            self._stream = stream
        made = None if stream is None else stream.take(first)
        if made is not None:
            session.send_packets(made.packets)
            self._next = made.last + 1
            return made.packets.measurements, made.last
        self.leave()
        alone = self._fan_out.runs.at(first)
        columns = router.route(alone.signals, alone.columns)
        return session.send_measurements(columns), alone.last

    def leave(self) -> None:
        """Be by itself from here on."""
        if self._stream is not None:
            self._fan_out.leave(self._stream)
            self._stream = None
            if self._session.signals is not None:
                self._session.restart_packets()

    def _way(self) -> Router | None:
        signals = self._session.signals
        if signals is None:
            return None
        if self._router is None or self._router.theirs is not signals:
            visible = self._visible
            if visible is None or (signals.route_to(visible) >= 0)[signals.present].all():
                self._router = self._fan_out.router(signals)
            else:
                self._router = Router(signals, visible)
            self._expected = None
        return self._router
