"""A catalogue: the metadata of a publisher, in the forms in which subscribers ask for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final
from weakref import WeakValueDictionary

from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import UsageError
from sttp.filter_expression import select, select_metadata
from sttp.measurement import SignalTable
from sttp.metadata import Metadata
from sttp.metadata.ownership import owned_as_asked, without_lone_rows
from sttp.wire.fields import deflate
from sttp.wire.signal_index_cache import check_keys

__all__ = ["Catalogue"]

OWNERSHIP: Final = ModeFlags.RECEIVE_INTERNAL_METADATA | ModeFlags.RECEIVE_EXTERNAL_METADATA

_USUAL: Final = OWNERSHIP | ModeFlags.COMPRESS_METADATA | ModeFlags.GZIP

SMALL: Final = 1_000
"""Signals up to which what is sent about them is made on the spot; that takes a few milliseconds."""


class Catalogue:
    """What a publisher has. The whole document is kept, because nearly everybody asks for that.

    Args:
        metadata: devices, measurements, phasors.

    Raises:
        UsageError: a measurement key that a signal index cache cannot carry (wire.md 5.2).
    """

    def __init__(self, metadata: Metadata) -> None:
        check_keys(metadata.signals.keys)
        self.metadata = metadata
        self._whole: dict[tuple[ModeFlags, bool], bytes] = {}
        self._selected: WeakValueDictionary[str, SignalTable] = WeakValueDictionary()
        self._making = asyncio.Lock()  # so that those who come together wait for one document

    def select(self, filter_expression: str) -> SignalTable:
        """The signals that a Subscribe asks for, numbered from 0 (wire.md 4.4).

        Raises:
            FilterError: the expression cannot be read, or names what is not there.
        """
        signals = self._selected.get(filter_expression)
        if signals is None:
            # whoever asks for the same gets the same table, so that what it is sent can be shared; see `sttp.fan_out`
            signals = self.metadata.signals.select(select(filter_expression, self.metadata))
            self._selected[filter_expression] = signals
        return signals

    async def prepare(self) -> None:
        """Make what nearly every subscriber asks for, where it takes long, so that the first one need not wait."""
        if len(self.metadata.signals) > SMALL:
            with suppress(UsageError):  # whoever asks will hear of it
                await self.document("", OperationalModes(flags=_USUAL))
            await asyncio.to_thread(self.select, "")

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
        def make() -> bytes:
            metadata = self.metadata
            asked = owned_as_asked(metadata.dataset, owned)
            if asked is not metadata.dataset:
                metadata = Metadata(without_lone_rows(asked))
            document = select_metadata(filter_expression, metadata).write()
            return deflate(document) if compress else document

        # a filter of a few words can take seconds, in which others must be served
        at_once = len(self.metadata.signals) <= SMALL and not filter_expression.strip()
        return make() if at_once else await asyncio.to_thread(make)
