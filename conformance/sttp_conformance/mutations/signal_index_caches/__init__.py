"""Wrong about signal index caches."""
