"""What a check raises when an implementation does not do what it has to."""

from __future__ import annotations

__all__ = ["NotSupported", "Skip", "Violation"]


class Violation(Exception):
    """The implementation broke a rule. The message says what was expected and what came instead."""


class NotSupported(Exception):
    """The implementation does not do what the check is about, and says so. The message is its reason."""


class Skip(Exception):
    """The check was not made, and the message says why. Never because of a fault."""
