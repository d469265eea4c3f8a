"""A catalogue: the metadata of a publisher, in the forms in which subscribers ask for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

import numpy as np

from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import FilterError, UsageError
from sttp.measurement import SignalTable
from sttp.metadata import Metadata
from sttp.metadata.cells import adapt_column
from sttp.metadata.narrowing import only_signals
from sttp.metadata.ownership import owned_as_asked, without_lone_rows
from sttp.metadata.records import MEASUREMENTS
from sttp.metadata.xml_writer import write_dataset_in_pieces
from sttp.offload import offload
from sttp.wire.fields import deflate, deflate_pieces
from sttp.wire.signal_index_cache import check_keys

__all__ = ["Catalogue"]

OWNERSHIP: Final = ModeFlags.RECEIVE_INTERNAL_METADATA | ModeFlags.RECEIVE_EXTERNAL_METADATA

_USUAL: Final = OWNERSHIP | ModeFlags.COMPRESS_METADATA | ModeFlags.GZIP

SMALL: Final = 1_000
"""Rows or signals up to which what is sent about them is made on the spot; that takes a few milliseconds."""


_MOST_SEEN: Final = 64
"""Different rights whose part of the metadata is kept."""

_log = logging.getLogger("sttp.publisher")


class Catalogue:
    """What a publisher has. The whole document is kept, because nearly everybody asks for that.

    Args:
        metadata: devices, measurements, phasors.

    Raises:
        UsageError: a measurement key that a signal index cache cannot carry (wire.md 5.2).
    """

    def __init__(self, metadata: Metadata) -> None:
        measurements = metadata.dataset.table(MEASUREMENTS.name)
        keys: Sequence[Any] = adapt_column(measurements, MEASUREMENTS.columns["key"])
        try:
            # of all rows, because it takes long to work out which of them can be subscribed to
            check_keys([key or "" for key in keys])
        except UsageError:
            check_keys(metadata.signals.keys)
        self.metadata = metadata
        self._is_small = len(measurements) <= SMALL
        self._whole: dict[tuple[ModeFlags, bool], bytes] = {}
        # whoever asks for the same gets the same table, so that what it is sent can be shared; see `sttp.fan_out`
        self._tables: WeakValueDictionary[Hashable, SignalTable] = WeakValueDictionary()
        self._sharing = Lock()  # many ask at the same time, in several threads
        self._seen: dict[str, Catalogue] = {}
        self._making = asyncio.Lock()  # so that those who come together wait for one document

    def select(self, filter_expression: str) -> SignalTable:
        """The signals that a Subscribe asks for, numbered from 0 (wire.md 4.4).

        Raises:
            FilterError: the expression cannot be read, or names what is not there.
        """
        signals = self._tables.get(filter_expression)
        if signals is None:
            signals = self.metadata.select(filter_expression)
        return self._shared(filter_expression, signals)

    def select_permitted(self, filter_expression: str, rights: str | None) -> tuple[SignalTable, tuple[UUID, ...]]:
        """The signals that a Subscribe asks for and that the subscriber may see; and those that it may not.

        Args:
            filter_expression: what it asks for.
            rights: see `seen_with`.

        Raises:
            FilterError: see `select`.
        """
        asked = self.select(filter_expression)
        if rights is None:
            return asked, ()
        permitted = asked.route_to(self.seen_with(rights).metadata.signals) >= 0
        if permitted.all():
            return asked, ()
        refused = tuple(signal.signal_id for signal in asked.select(np.flatnonzero(~permitted)))
        signals = asked.select(np.flatnonzero(permitted))
        return self._shared((rights, filter_expression), signals), refused

    def seen_with(self, rights: str | None) -> Catalogue:
        """The part that somebody may see: the signals, and the rows of metadata that speak of them.

        Args:
            rights: a filter expression for the signals; None for all. One that cannot be evaluated permits nothing, and
                is an error in the log.
        """
        if rights is None:
            return self
        seen = self._seen.get(rights)
        if seen is None:
            try:
                permitted = self.select(rights)
            except FilterError as error:
                _log.error("rights that cannot be evaluated permit nothing: %r: %s", rights, error.reason)
                permitted = self.select("")
            signal_ids = {signal.signal_id for signal in permitted}
            seen = Catalogue(Metadata(only_signals(self.metadata.dataset, signal_ids)))
            _ = seen.metadata.signals  # worked out now, in this thread
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[rights] = seen
        return seen

    def _shared(self, what: Hashable, signals: SignalTable) -> SignalTable:
        """The table that who asked for this before has got, if somebody has it still, else this one."""
        with self._sharing:
            return self._tables.setdefault(what, signals)

    async def prepare(self) -> None:
        """Make what nearly every subscriber asks for, where it takes long, so that the first one need not wait."""
        if not self._is_small:
            with suppress(UsageError):  # whoever asks will hear of it
                await self.document("", OperationalModes(flags=_USUAL))
            await offload(self.select, "")

    async def document(self, filter_expression: str, modes: OperationalModes) -> bytes:
        """The XML that a MetadataRefresh asks for (wire.md 8).

        Args:
            filter_expression: which rows of which tables; empty for all.
            modes: whether to put it through gzip, and whether the subscriber wants to hear of what the publisher owns,
                of what it passes on, or of both (8.3).

        Raises:
            FilterError: the expression cannot be read.
            UsageError: the metadata holds something that XML cannot carry.
        """
        owned, compress = modes.flags & OWNERSHIP, modes.compress_metadata
        if filter_expression.strip():
            return await self._make(filter_expression, owned, compress)
        async with self._making:
            document = self._whole.get((owned, compress))
            if document is None:
                document = self._whole[owned, compress] = await self._make("", owned, compress)
        return document

    async def _make(self, filter_expression: str, owned: ModeFlags, compress: bool) -> bytes:
        def narrowed() -> Metadata:
            metadata = self.metadata
            asked = owned_as_asked(metadata.dataset, owned)
            if asked is not metadata.dataset:
                metadata = Metadata(without_lone_rows(asked))
            return metadata.narrow(filter_expression)

        if self._is_small and not filter_expression.strip():
            document = narrowed().write()
            return deflate(document) if compress else document
        # a filter of a few words can take seconds, in which others must be served
        if compress:
            return await offload(lambda: deflate_pieces(write_dataset_in_pieces(narrowed().dataset)))
        return await offload(lambda: narrowed().write())
