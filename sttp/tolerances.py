"""What deployed peers do that the protocol does not ask for, and what we do about it: one table (wire.md 12.5).

Each departure is a switch with a name. The readers of `sttp.wire` and both sessions take the switches as a value. Those
that are safe with every peer are on; those that serve one peer at the cost of another, or that guess, are off, and
`tolerances_for` switches them on for that peer. A conformance test reads with `STRICT`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sttp.codes import Role
from sttp.errors import UsageError

__all__ = [
    "DEFAULT_TOLERANCES",
    "STRICT",
    "TABLE",
    "Departure",
    "Peer",
    "Tolerances",
    "tolerances_for",
]


class Peer(StrEnum):
    """The implementations that the table knows."""

    CPPAPI = "cppapi"
    """In C++."""
    GOAPI = "goapi"
    """In Go; subscribers only."""
    GSFAPI = "gsfapi"
    """In C#."""
    PYAPI = "pyapi"
    """In Python: the distribution `sttpapi`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A row of the table: why a switch exists.

    Attributes:
        peers: who needs it; nobody when only versions need it that have passed.
        role: what they are.
        version: which versions of it do.
        clause: sections of `wire.md`, and numbers of its lists of deviations.
        reason: what the peer does, and what the switch makes of it.
        test: the test that shows it, as a node ID of pytest below `tests`.
    """

    peers: tuple[Peer, ...]
    role: Role
    version: str
    clause: str
    reason: str
    test: str


def _switch(default: bool, *peers: Peer, role: Role, version: str, clause: str, reason: str, test: str) -> bool:
    departure = Departure(peers=peers, role=role, version=version, clause=clause, reason=reason, test=test)
    value: bool = dataclasses.field(default=default, metadata={"departure": departure})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """The switches. `TABLE` tells of each which peer needs it, and why."""

    # --- reading responses and commands

    length_prefixed_text: bool = _switch(
        True,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="4.6, Y2",
        reason="A byte count stands before the text of a reply. It is dropped when it fits exactly.",
        test="wire/test_responses.py::test_length_before_a_text_is_a_tolerance",
    )
    several_responses_in_a_frame: bool = _switch(
        True,
        Peer.GSFAPI,
        role=Role.PUBLISHER,
        version="with a publish interval above zero",
        clause="1.3, G9",
        reason="A second response follows the first in one frame. All are read.",
        test="wire/test_responses.py::test_several_responses_in_a_frame",
    )
    trailing_bytes: bool = _switch(
        True,
        *Peer,
        role=Role.PUBLISHER,
        version="any",
        clause="3.5",
        reason="More bytes follow the last field, such as parameters of the operational modes. They are ignored.",
        test="wire/test_commands.py::test_trailing_bytes_are_a_tolerance",
    )
    gzip_by_signature: bool = _switch(
        True,
        Peer.PYAPI,
        Peer.GSFAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6; default modes",
        clause="3.2, Y5, G16",
        reason="A signal index cache is compressed, or not, against what was negotiated. Its first two bytes decide, "
        "as they always do for metadata.",
        test="wire/test_signal_index_cache.py::test_compression_against_what_was_negotiated_is_a_tolerance",
    )
    cache_index_255_is_0: bool = _switch(
        True,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="5.6, Y6",
        reason="The cache index of an uncompressed cache is a placeholder, and its packets use slot 0.",
        test="wire/test_responses.py::test_cache_index_above_1_is_a_tolerance",
    )
    cache_index_above_1_is_1: bool = _switch(
        True,
        *Peer,
        role=Role.PUBLISHER,
        version="any",
        clause="5.1",
        reason="Readers other than gsfapi's take any cache index but zero as 1.",
        test="wire/test_responses.py::test_cache_index_above_1_is_a_tolerance",
    )
    cache_size_without_itself: bool = _switch(
        True,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="5.6, Y6",
        reason="The size of a signal index cache does not count its own four bytes.",
        test="wire/test_signal_index_cache.py::test_size_without_itself_is_a_tolerance",
    )
    cache_without_unauthorised: bool = _switch(
        True,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="5.6, Y6",
        reason="The list of unauthorised signals is missing, its count too.",
        test="wire/test_signal_index_cache.py::test_missing_list_of_unauthorised_signals_is_a_tolerance",
    )
    empty_cache: bool = _switch(
        True,
        Peer.GSFAPI,
        role=Role.PUBLISHER,
        version="any, with protocol version 1",
        clause="4.5, 5.6",
        reason="A signal index cache of no bytes says that no signal matched.",
        test="wire/test_signal_index_cache.py::test_empty_image_is_a_tolerance",
    )
    data_packets_without_count: bool = _switch(
        False,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="6.1, Y1",
        reason="Compact measurements of 17 bytes stand directly behind the flags. Off, because only the length of the "
        "packet tells.",
        test="wire/test_data_packet.py::test_missing_count_is_a_tolerance",
    )
    old_buffer_blocks: bool = _switch(
        False,
        role=Role.PUBLISHER,
        version="gsfapi before mid 2026",
        clause="7.6",
        reason="The byte behind the sequence number is a cache index (there is none in version 1), and every block is "
        "to be confirmed. Off, because the bytes do not tell which layout it is.",
        test="wire/test_responses.py::test_the_old_layout_of_buffer_blocks_is_a_tolerance",
    )

    # --- a subscriber's dealings with its publisher

    cache_index_never_set: bool = _switch(
        False,
        Peer.CPPAPI,
        role=Role.PUBLISHER,
        version="any",
        clause="5.5, C2",
        reason="No data packet says which cache it was made with, so values could be given to the wrong signal after a "
        "second Subscribe. The new cache is used from TSSC sequence 0 on; for compact packets from the answer to a "
        "command that is sent right behind the confirm, and those in between are dropped.",
        test="session/test_tolerances.py::test_a_publisher_that_never_sets_the_cache_index",
    )
    tssc_continues_across_caches: bool = _switch(
        False,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.4, 0.7.6",
        clause="6.4, Y7",
        reason="TSSC is not reset with a new cache. The new decoder goes on with the state of the old one.",
        test="session/test_tolerances.py::test_a_publisher_that_never_resets_tssc",
    )
    pause_before_subscribing_again: bool = _switch(
        False,
        Peer.PYAPI,
        role=Role.PUBLISHER,
        version="0.7.6",
        clause="4.7, Y29",
        reason="A Subscribe directly behind an Unsubscribe is followed by silence. We wait a moment between the two.",
        test="session/test_tolerances.py::test_a_publisher_that_needs_a_pause",
    )

    # --- a publisher's dealings with its subscriber

    answer_operational_modes: bool = _switch(
        True,
        Peer.GOAPI,
        Peer.CPPAPI,
        role=Role.SUBSCRIBER,
        version="any; with protocol version 3",
        clause="3.4, 9.6",
        reason="They wait for an answer to DefineOperationalModes, which gsfapi's publisher never sends. We always "
        "do; off, we are as silent as gsfapi.",
        test="session/test_tolerances.py::test_a_publisher_may_be_as_silent_as_gsfapi",
    )
    core_responses_only: bool = _switch(
        False,
        Peer.CPPAPI,
        Peer.PYAPI,
        role=Role.SUBSCRIBER,
        version="any; 0.7.4, 0.7.6",
        clause="7.5, 7.6, 7.7, C7, C8, Y16, Y17",
        reason="A buffer block makes cppapi unsubscribe; a notification or cipher keys make pyapi drop the "
        "connection. They are not sent.",
        test="session/test_tolerances.py::test_what_a_subscriber_would_not_survive_is_not_sent",
    )


DEFAULT_TOLERANCES: Final = Tolerances()
"""What every peer may do without being asked about it."""

TABLE: Final[dict[str, Departure]] = {each.name: each.metadata["departure"] for each in dataclasses.fields(Tolerances)}
"""The reason for each switch, by its name."""

STRICT: Final = Tolerances(
    **dict.fromkeys(TABLE, False) | {"answer_operational_modes": True},
)
"""Nothing but what a publisher and a subscriber are meant to send."""


def tolerances_for(peer: Peer | str) -> Tolerances:
    """The tolerances that suit one peer: the default, and the switches that are off for everybody else.

    Args:
        peer: the implementation, also by its name.

    Raises:
        UsageError: the table knows no such peer.
    """
    if peer not in list(Peer):
        raise UsageError(f"no peer is called {peer!r}; known are {', '.join(Peer)}")
    return dataclasses.replace(
        DEFAULT_TOLERANCES,
        **{name: True for name, departure in TABLE.items() if peer in departure.peers},
    )
