"""Wrong about metadata."""
