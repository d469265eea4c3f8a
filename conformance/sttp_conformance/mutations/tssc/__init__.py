"""Wrong about TSSC."""
