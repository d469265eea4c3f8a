"""A catalogue: the metadata of a publisher, in the forms in which subscribers ask for it."""

from __future__ import annotations

import asyncio
from typing import Final

from sttp.filter_expression import select, select_metadata
from sttp.measurement import SignalTable
from sttp.metadata import Metadata
from sttp.wire.fields import deflate
from sttp.wire.signal_index_cache import check_keys

__all__ = ["Catalogue"]

SMALL: Final = 1_000
"""Signals up to which a document is made on the spot; that takes a few milliseconds."""


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
        self._whole: dict[bool, bytes] = {}

    def select(self, filter_expression: str) -> SignalTable:
        """The signals that a Subscribe asks for, numbered from 0 (wire.md 4.4).

        Raises:
            FilterError: the expression cannot be read, or names what is not there.
        """
        return self.metadata.signals.select(select(filter_expression, self.metadata))

    async def document(self, filter_expression: str = "", *, compress: bool) -> bytes:
        """The XML that a MetadataRefresh asks for (wire.md 8).

        Args:
            filter_expression: which rows of which tables; empty for all.
            compress: whether to put it through gzip.

        Raises:
            FilterError: the expression cannot be read.
            UsageError: the metadata holds something that XML cannot carry.
        """
        if filter_expression.strip():
            return await self._make(select_metadata(filter_expression, self.metadata), compress)
        if compress not in self._whole:
            self._whole[compress] = await self._make(self.metadata, compress)
        return self._whole[compress]

    @staticmethod
    async def _make(metadata: Metadata, compress: bool) -> bytes:
        def make() -> bytes:
            document = metadata.write()
            return deflate(document) if compress else document

        return make() if len(metadata.signals) <= SMALL else await asyncio.to_thread(make)
