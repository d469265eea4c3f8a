"""Wrong about operational modes and who speaks first."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Mutant, added_before, dropped, edited, replaced
from sttp_conformance.ways import Direction

_MODES = Command.DEFINE_OPERATIONAL_MODES
_GREETING = b"\x80\x02\x00\x00\x00\x02hi"

MUTANTS = (
    Mutant(
        "publisher_never_answers_the_modes",
        PUBLISHER,
        caught_by=("answers_operational_modes",),
        says=dropped(Response.SUCCEEDED, answering=_MODES),
    ),
    Mutant(
        "publisher_answers_the_modes_with_failed",
        PUBLISHER,
        caught_by=("answers_operational_modes",),
        says=replaced(Response.SUCCEEDED, lambda frame: b"\x81" + frame[1:], answering=_MODES),
    ),
    Mutant(
        "publisher_greets_behind_each_noop",
        PUBLISHER,
        caught_by=("waits_for_operational_modes",),
        says=replaced(Response.NOOP, lambda frame: (frame, _GREETING)),
        settings={"keep-alive": 0.1},
    ),
    Mutant(
        "publisher_takes_every_version",
        PUBLISHER,
        caught_by=("refuses_unknown_versions",),
        hears=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 2,))),
    ),
    Mutant(
        "publisher_refuses_versions_without_a_word",
        PUBLISHER,
        caught_by=("refuses_unknown_versions",),
        says=replaced(Response.FAILED, lambda frame: CLOSE, answering=_MODES),
    ),
    Mutant(
        "publisher_leaves_out_the_cache_index",
        PUBLISHER,
        caught_by=("accepts_version_2", "accepts_version_3"),
        says=edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: payload[1:]),
    ),
    Mutant(
        "publisher_writes_a_cache_index_in_version_1",
        PUBLISHER,
        caught_by=("accepts_version_1",),
        says=edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: b"\0" + payload),
    ),
    Mutant(
        "publisher_takes_every_text_for_utf_8",
        PUBLISHER,
        caught_by=("reads_a_utf16le_connection_string",),
        hears=replaced(_MODES, lambda frame: frame[:3] + bytes((frame[3] & 0xFC | 2,)) + frame[4:]),
    ),
    Mutant(
        "subscriber_subscribes_before_it_defines_its_modes",
        SUBSCRIBER,
        caught_by=("speaks_first_with_operational_modes",),
        says=added_before(_MODES, b"\x02\x02\x00\x00\x00\x00"),
    ),
    Mutant(
        "publisher_that_dials_answers_modes_with_another_text",
        PUBLISHER,
        caught_by=("publisher_negotiates_alike_in_both_directions[answers_operational_modes]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=_MODES),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_answers_modes_with_another_text",
        PUBLISHER,
        caught_by=("publisher_negotiates_alike_in_both_directions[answers_operational_modes]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=_MODES),
        only=Direction.FORWARD,
    ),
    Mutant(
        "subscriber_that_listens_asks_for_version_1",
        SUBSCRIBER,
        caught_by=("subscriber_negotiates_alike_in_both_directions[speaks_first_with_operational_modes]",),
        says=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 1,))),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_dials_asks_for_version_1",
        SUBSCRIBER,
        caught_by=("subscriber_negotiates_alike_in_both_directions[speaks_first_with_operational_modes]",),
        says=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 1,))),
        only=Direction.FORWARD,
    ),
)
