"""Metadata that become another document on their way."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, Response
from sttp.wire.fields import deflate, inflate, is_gzip
from sttp_conformance.rewrites import Rewrite, edited

__all__ = ["rewritten"]

_REFRESH = Command.METADATA_REFRESH
_SUCCEEDED = Response.SUCCEEDED


def rewritten(change: Callable[[bytes], bytes], *, first: bool = False) -> Rewrite:
    """A publisher gives another document, compressed as the one before."""

    def changed(payload: bytes) -> bytes:
        text = change(inflate(payload, limit=2**26, name="metadata"))
        return deflate(text) if is_gzip(payload) else text

    return edited(_SUCCEEDED, changed, answering=_REFRESH, first=first)
