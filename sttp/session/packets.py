"""Data packets: measurements as the frames that carry them to a subscriber (wire.md 6).

What the frames are depends on the signal index cache, on what was settled about their form, and on what was sent
before: the state of the codec, and the base times. It does not depend on the subscriber. So one `PacketWriter` can
serve any number of subscriptions of one form, provided that each gets the same packets from a restart on.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sttp.codes import DataPacketFlags, OperationalModes
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns, SignalTable
from sttp.session.base_times import base_times_for
from sttp.wire.cipher import DataCipher
from sttp.wire.compact import BaseTimes, TimeFormat, write_compact
from sttp.wire.data_packet import DataPacket, write_data_packet
from sttp.wire.responses import UpdateBaseTimes, write_response
from sttp.wire.tssc import TsscEncoder, write_tssc_payload

__all__ = ["PacketForm", "PacketWriter", "Packets"]

_MODES = OperationalModes()  # data packets are the same in all of them, once their form is known


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PacketForm:
    """What subscriptions have in common whose data packets are the same.

    Attributes:
        signals: what a signal index means.
        slot: `CACHE_INDEX` when the signal index cache has index 1, else nothing.
        tssc: whether measurements are compressed with TSSC (6.4), else compact (6.2).
        times: how compact measurements have their times.
        without_nan: values that are not a number are left out (4.3).
    """

    signals: SignalTable
    slot: DataPacketFlags
    tssc: bool
    times: TimeFormat
    without_nan: bool

    @property
    def key(self) -> Hashable:
        """Equal for forms that are the same, as long as one of them is kept."""
        return id(self.signals), self.slot, self.tssc, self.times, self.without_nan


class Packets(NamedTuple):
    """Frames with data packets, and what a subscriber must know to read them.

    Attributes:
        frames: whole frames, in order; also those that announce base times.
        measurements: how many are in them.
        start: ticks of the first measurement; 0 when there is none.
        before: base times that must have been announced before; None for none.
        after: base times that are announced by then.
    """

    frames: Sequence[bytes]
    measurements: int
    start: int
    before: BaseTimes | None
    after: BaseTimes | None


class PacketWriter:
    """Writes data packets of one form, one after another.

    Args:
        form: the form.
        base_times: those that were announced already.
        cipher: the keys of the connection, when there are any; such packets are for this connection only.
    """

    __slots__ = ("_base_times", "_cipher", "_encoder", "_flags", "_limits", "form")

    def __init__(
        self, form: PacketForm, *, base_times: BaseTimes | None = None, cipher: DataCipher | None = None
    ) -> None:
        self.form = form
        encoding = DataPacketFlags.COMPRESSED if form.tssc else DataPacketFlags.COMPACT
        self._flags = encoding | form.slot
        self._base_times = base_times
        self._cipher = cipher
        self._limits = replace(DEFAULT_LIMITS, signal_index=max(len(form.signals) - 1, 0))
        self.restart()

    def restart(self) -> None:
        """Let the next packet be one that can be read without those before: the codec begins anew (6.4)."""
        self._encoder = TsscEncoder(limits=self._limits)

    def write(self, columns: Columns) -> Packets:
        """Encode measurements into as many data packets as needed.

        Args:
            columns: their signal index means the table of the form.

        Raises:
            UsageError: a signal index is negative; nothing was encoded.
        """
        form, before = self.form, self._base_times
        if form.without_nan:
            columns = columns.select(~np.isnan(columns.value))
        count = len(columns.signal_index)
        if not count:
            return Packets((), 0, 0, before, before)
        if form.tssc:
            frames = [self._packet(block.count, write_tssc_payload(block)) for block in self._encoder.encode(columns)]
        else:
            frames = self._announce(columns)
            frames += [self._packet(*packet) for packet in write_compact(columns, form.times, self._base_times)]
        return Packets(frames, count, columns.ticks.item(0), before, self._base_times)

    def _announce(self, columns: Columns) -> list[bytes]:
        if not self.form.times.include_time:
            return []
        base_times = base_times_for(columns.ticks, self._base_times, self.form.times)
        if base_times is None:
            return []
        self._base_times = base_times
        return [write_response(UpdateBaseTimes(active=base_times.active, times=base_times.times), _MODES)]

    def _packet(self, count: int, body: bytes) -> bytes:
        cipher = self._cipher
        if cipher is None or cipher.keys is None:
            return write_data_packet(self._flags, count, body)
        return write_response(DataPacket(flags=self._flags, count=count, body=body), _MODES, cipher)
