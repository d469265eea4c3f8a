"""Mutants of role invariance that no other chapter has: right over one transport, and otherwise over another."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Says
from sttp_conformance.mutants import mutant
from sttp_conformance.rewrites import edited

__all__ = ["MUTANTS"]

MUTANTS = (
    *(
        mutant(
            f"publisher_answers_modes_with_another_text_over_{transport}",
            PUBLISHER,
            Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.DEFINE_OPERATIONAL_MODES)),
            caught_by=("publisher_says_the_same_over_every_transport[answers_operational_modes]",),
            transport=transport,
        )
        for transport in ("tcp", "tls")
    ),
    *(
        mutant(
            f"subscriber_asks_for_part_of_the_metadata_over_{transport}",
            SUBSCRIBER,
            Says(edited(Command.METADATA_REFRESH, lambda nothing: b"\0\0\0\x04TRUE")),
            caught_by=("subscriber_says_the_same_over_every_transport[reads_compact_values_exactly]",),
            transport=transport,
        )
        for transport in ("tcp", "tls")
    ),
)
