"""Metadata (wire.md 8, metadata.md): what a publisher gives, whole and filtered, and what a subscriber can read."""
