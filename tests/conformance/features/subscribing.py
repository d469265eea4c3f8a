"""A subscriber with buffer blocks in order, replays, and data over UDP."""

from __future__ import annotations

import asyncio
from uuid import UUID

from streams import Link, udp_socket

from sttp.codes import ModeFlags, OperationalModes
from sttp.session import SubscriberConfig, SubscriberSession, events
from sttp.wire.subscription import SubscriptionOptions

_EVERYTHING = "FILTER ActiveMeasurements WHERE True"
_HELD = 32
"""Buffer blocks that wait for one before them; of more the gap is given up, and nothing is kept by its distance."""


def _wire(value: float) -> float | str:
    """A value as JSON has it."""
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")


class Subscriber:
    """All that its connections share.

    Args:
        over_udp: whether data is asked for over UDP.
    """

    def __init__(self, *, over_udp: bool) -> None:
        self._over_udp = over_udp
        self._link: Link | None = None
        self._socket = udp_socket()
        asyncio.get_running_loop().add_reader(self._socket, self._take_datagram)
        self._received: list = []
        self._happened: list[dict] = []
        self._answered: asyncio.Future[str | None] | None = None
        self._expected = 0
        self._held: dict[int, events.BufferBlockReceived] = {}
        self.requests = {
            "report": self.report,
            "events": self.events,
            "subscribe": self.subscribe,
            "replay": self.replay,
        }

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Subscribe to a publisher; a second one is turned away."""
        if self._link is not None and not self._link.session.ended:
            writer.close()
            return
        flags = OperationalModes().flags
        if self._over_udp:  # there is no order in which TSSC could be read
            flags &= ~ModeFlags.COMPRESS_PAYLOAD_DATA
        config = SubscriberConfig(modes=OperationalModes(flags=flags))
        session = SubscriberSession(config, now=asyncio.get_running_loop().time())
        self._expected, self._held = 0, {}
        self._link = Link(session, reader, writer, self._take)
        self._ask(SubscriptionOptions(filter_expression=_EVERYTHING))
        await self._link.run()

    def _ask(self, options: SubscriptionOptions, **replay: str | None) -> None:
        port = self._socket.getsockname()[1] if self._over_udp else None
        wanted = SubscriptionOptions(filter_expression=options.filter_expression, data_channel_port=port, **replay)
        self._link.session.subscribe(wanted)

    # --- requests

    async def report(self) -> dict:
        """Measurements since the last report."""
        found, self._received = self._received, []
        return {"measurements": found}

    async def events(self) -> dict:
        """What else has happened since the last time."""
        found, self._happened = self._happened, []
        return {"events": found}

    async def subscribe(self, filter: str) -> None:  # noqa: A002 - the word of the contract
        """Subscribe to something else."""
        await self._asked(filter)

    async def replay(self, filter: str, start: str, stop: str, parameters: str = "") -> None:  # noqa: A002 - as above
        """Subscribe to the past."""
        await self._asked(filter, start_time=start, stop_time=stop, constraint_parameters=parameters or None)

    async def _asked(self, wanted: str, **replay: str | None) -> None:
        self._answered = asyncio.get_running_loop().create_future()
        self._ask(SubscriptionOptions(filter_expression=wanted), **replay)
        self._link.flush()
        if (reason := await self._answered) is not None:
            raise RuntimeError(reason)

    # --- what comes

    def _take_datagram(self) -> None:
        data = self._socket.recv(2**16)
        if self._link is not None and not self._link.session.ended:
            self._link.hear(len(data).to_bytes(4, "big") + data)
            self._link.flush()

    def _take(self, event: object) -> None:
        match event:
            case events.MeasurementsReceived():
                rows = zip(*(each.tolist() for each in event.columns), strict=True)
                self._received += [
                    [str(event.signals[index].signal_id), time, _wire(value), flags]
                    for index, time, flags, value in rows
                ]
            case events.SubscriptionAccepted():
                self._tell("subscription-accepted", text=event.text)
                self._answer(None)
            case events.SubscriptionRefused():
                self._tell("subscription-refused", reason=event.reason)
                self._answer(event.reason)
            case events.ProcessingCompleted():
                self._tell("processing-complete", text=event.text)
            case events.BufferBlockReceived() if event.signal is not None:
                self._order(event)

    def _tell(self, event: str, **fields: str | UUID) -> None:
        self._happened.append({"event": event, **{name: str(value) for name, value in fields.items()}})

    def _answer(self, reason: str | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(reason)

    def _order(self, block: events.BufferBlockReceived) -> None:
        """Hand over a buffer block when all before it have come; each once (7.6)."""
        ahead = (block.sequence - self._expected) % 2**32
        if ahead >= _HELD:
            return  # it came before, or so far ahead that nobody can wait for it
        self._held[block.sequence] = block
        while (due := self._held.pop(self._expected, None)) is not None:
            self._tell("buffer-block", signal=due.signal.signal_id, payload=due.payload.hex())
            self._expected = (self._expected + 1) % 2**32
