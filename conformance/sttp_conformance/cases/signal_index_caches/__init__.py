"""Signal index caches (wire.md 5): their images, and handovers from one to the next."""
