"""The filter expressions of subscriptions and metadata refreshes."""

from __future__ import annotations

from sttp.filter_expression.selection import Selected, columns_named, select, select_metadata, select_rows

__all__ = ["Selected", "columns_named", "select", "select_metadata", "select_rows"]
