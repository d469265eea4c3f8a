"""A conformance suite for STTP (IEEE 2664): it judges any implementation, in any language, through the network.

An implementation is described by an adapter file (`ADAPTER.md`). The suite starts it, plays the other role against it
in both connection directions, and holds what it says against a ledger of requirements. What judges here stands on the
vocabulary, `sttp.wire` and `sttp.transport` only: a judge does not borrow the defendant's reasoning.
"""

from typing import Final

__all__ = ["CONTRACT"]

CONTRACT: Final = 1
"""Version of the adapter contract that this suite reads."""
