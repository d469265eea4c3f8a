"""What deployed peers do that the protocol does not ask for, and that we read all the same (wire.md 12).

Each departure has a switch with a name, and the readers of `sttp.wire` take the switches as an argument. A conformance
test reads with `STRICT`, everybody else with the default. Writers never produce any of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT_TOLERANCES", "STRICT", "Tolerances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """Named switches, each with the peer that needs it.

    Attributes:
        length_prefixed_text: an i32 byte count stands before the text of a reply. pyapi publisher, 0.7.4 and 0.7.6
            (4.6, Y2).
        several_responses_in_a_frame: a second response follows the first. gsfapi publisher with a publish interval
            above zero (1.3, G9), and datagrams (10.5).
        trailing_bytes: more bytes follow the last field of a message. Parameters of the operational modes (3.5), and
            padding; all peers ignore them.
        gzip_by_signature: a signal index cache is compressed, or not, against what was negotiated. pyapi publisher,
            and gsfapi with its default modes (3.2, Y5).
        cache_index_255_is_0: the placeholder of an uncompressed cache. pyapi publisher, 0.7.4 and 0.7.6 (5.6, Y6).
        cache_index_above_1_is_1: cppapi, goapi and pyapi subscribers read it so (5.1).
        cache_size_without_itself: the size of a signal index cache does not count its own four bytes. pyapi publisher,
            0.7.4 and 0.7.6 (5.6, Y6).
        cache_without_unauthorised: the list of unauthorised signals is missing with its count. pyapi publisher, 0.7.4
            and 0.7.6 (5.6, Y6).
        empty_cache: a signal index cache of zero bytes says that no signal matched. gsfapi publisher with version 1
            (4.5, 5.6).
        data_packets_without_count: compact records of 17 bytes directly behind the flags. pyapi publisher, 0.7.4 and
            0.7.6, without compression (Y1). Off, because it is a guess from the length; for that peer alone.
    """

    length_prefixed_text: bool = True
    several_responses_in_a_frame: bool = True
    trailing_bytes: bool = True
    gzip_by_signature: bool = True
    cache_index_255_is_0: bool = True
    cache_index_above_1_is_1: bool = True
    cache_size_without_itself: bool = True
    cache_without_unauthorised: bool = True
    empty_cache: bool = True
    data_packets_without_count: bool = False


DEFAULT_TOLERANCES: Final = Tolerances()
"""What every peer may do without being asked about it."""

STRICT: Final = Tolerances(
    length_prefixed_text=False,
    several_responses_in_a_frame=False,
    trailing_bytes=False,
    gzip_by_signature=False,
    cache_index_255_is_0=False,
    cache_index_above_1_is_1=False,
    cache_size_without_itself=False,
    cache_without_unauthorised=False,
    empty_cache=False,
)
"""Nothing but what a publisher and a subscriber are meant to send."""
