"""The filter expressions of subscriptions and metadata refreshes."""

from __future__ import annotations

from sttp.filter_expression.selection import select, select_metadata

__all__ = ["select", "select_metadata"]
