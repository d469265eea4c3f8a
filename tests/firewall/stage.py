"""Where the scene is played: commands at either side of the router and in it, each with its line in the story."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from network import Network
from program import Program, program
from story import Story

__all__ = ["Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """The network, and the story of what happens in it."""

    story: Story
    net: Network

    def inside(self, *arguments: str | Path, listens: bool = False) -> AbstractAsyncContextManager[Program]:
        """Run `sttp` in the secure zone; see `program`."""
        return program(self.story, "inside", self.net.inside, *arguments, listens=listens)

    def outside(self, *arguments: str | Path, listens: bool = False) -> AbstractAsyncContextManager[Program]:
        """Run `sttp` outside; see `program`."""
        return program(self.story, "outside", self.net.outside, *arguments, listens=listens)

    def nft(self, *arguments: str) -> None:
        """Run `nft` in the router; see `Network.nft`."""
        self.story.tell("router", f"$ nft {' '.join(arguments)}")
        self.net.nft(*arguments)
