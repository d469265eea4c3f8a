"""What is told while the scene is played: a line for everything that happens, with the time and the place."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["SceneError", "Story"]

_PLACE_WIDTH: Final = 7


class SceneError(Exception):
    """Something happened that must not, or did not happen that must; the message says what."""


class Story:
    """Lines on stdout, each with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        """Begin a part."""
        print(f"\n{title}", flush=True)

    def tell(self, place: str, text: str) -> None:
        """Say what happened where."""
        print(f"{self.seconds:7.1f} s  {place:{_PLACE_WIDTH}}  {text}", flush=True)

    def hold(self, fact: bool, text: str) -> None:
        """Say `text` if it is a fact.

        Raises:
            SceneError: it is not.
        """
        if not fact:
            raise SceneError(f"this does not hold: {text}")
        print(f"{'ok':>9}  {text}", flush=True)
