"""Wrong about subscriptions."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, IsAsked, Says, is_told, reports
from sttp_conformance.mutants import Mutant, in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, dropped, edited, replaced, with_payload
from sttp_conformance.ways import Direction

_EVERYTHING = "FILTER ActiveMeasurements WHERE True"
_FENCE = Command.UPDATE_PROCESSING_INTERVAL


def _old_cache_again(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Whatever is subscribed to later, the first cache is sent."""
    if frame[0] == Response.UPDATE_SIGNAL_INDEX_CACHE:
        first = conversation.memory.setdefault("cache", frame)
        return (frame[:7] + first[7:] if len(first) == len(frame) else first,)
    return (frame,)


def _asks(change: Callable[[str], str]) -> Rewrite:
    """The connection string of Subscribe is taken for another one."""

    def changed(frame: bytes) -> bytes:
        length = int.from_bytes(frame[2:6], "big")
        try:
            text = change(frame[6 : 6 + length].decode()).encode()
        except UnicodeDecodeError:
            return frame
        return with_payload(frame, text)

    return replaced(Command.SUBSCRIBE, changed)


def _without_filter(text: str) -> str:
    """A connection string that loses its filter selects everything."""
    return f"filterExpression={{{_EVERYTHING}}}"


def _if(condition: Callable[[str], object], change: Callable[[str], str] = _without_filter) -> Rewrite:
    return _asks(lambda text: change(text) if condition(text) else text)


def _everything_once_asked(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Subscribing anew selects what was selected before."""
    if frame[0] == Command.SUBSCRIBE:
        return (conversation.memory.setdefault("first", frame),)
    return (frame,)


def _twice(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Compact packets come twice."""
    return (frame, frame) if frame[0] == Response.DATA_PACKET else (frame,)


def _start_behind_data(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == Response.DATA_START_TIME:
        conversation.memory["start"] = frame
        return ()
    if frame[0] == Response.DATA_PACKET and (start := conversation.memory.pop("start", None)):
        return (frame, start)
    return (frame,)


def _mute_after_resubscribing(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Data does not come any more once a subscription has followed on another."""
    unsubscribed = conversation.memory.get("unsubscribed") or frame[:2] == b"\x80\x03"
    conversation.memory["unsubscribed"] = unsubscribed
    return () if unsubscribed and frame[0] == Response.DATA_PACKET else (frame,)


def _ends_before_it_reads(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The subscription in force is ended by any Subscribe, also one that fails."""
    return (b"\x03", frame) if frame[0] == Command.SUBSCRIBE and conversation.heard > 1 else (frame,)


def _no_cache_before_success(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    conversation.memory["ok"] = conversation.memory.get("ok", False) or frame[:2] == b"\x80\2"
    return (frame,) if conversation.memory["ok"] or frame[0] != Response.UPDATE_SIGNAL_INDEX_CACHE else ()


def _one_success(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[:2] != b"\x80\2":
        return (frame,)
    return (frame,) if conversation.count("successes") == 1 else (CLOSE,)


def _no_subscribe_after_unsubscribe(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    conversation.memory["left"] = conversation.memory.get("left", False) or frame[0] == Command.UNSUBSCRIBE
    return () if conversation.memory["left"] and frame[0] == Command.SUBSCRIBE else (frame,)


def _reads(name: str, check: str, wrong: Rewrite, only: Direction | None = None) -> Mutant:
    return mutant(f"publisher_{name}", PUBLISHER, Hears(wrong), caught_by=(check,), only=only)


def _says(name: str, check: str, wrong: Rewrite) -> Mutant:
    return mutant(f"publisher_{name}", PUBLISHER, Says(wrong), caught_by=(check,))


def _asked(name: str, check: str, wrong: Rewrite) -> Mutant:
    return mutant(f"subscriber_{name}", SUBSCRIBER, Says(wrong), caught_by=(check,))


def _hears(name: str, check: str, wrong: Rewrite) -> Mutant:
    return mutant(f"subscriber_{name}", SUBSCRIBER, Hears(wrong), caught_by=(check,))


CONNECTION_STRINGS = (
    _reads("looks_keys_up_as_they_are_written", "keys_are_read_in_any_case", _if(lambda t: t.startswith("FILTER"))),
    _reads(
        "splits_at_every_semicolon",
        "semicolons_in_braces_belong_to_the_value",
        _if(lambda t: t.startswith("filterExpression={") and ";" in t, lambda t: t.partition(";")[0] + "}"),
    ),
    _reads("ends_a_value_at_the_first_brace", "deeper_braces_are_kept", _if(lambda t: "{a;b=c}" in t)),
    _reads(
        "looks_for_a_key_with_a_blank_in_front",
        "white_space_and_empty_pieces_mean_nothing",
        _if(lambda t: t.startswith(";; filter")),
    ),
    _reads("takes_a_piece_with_two_equals_signs_apart", "odd_pieces_are_ignored", _if(lambda t: "a=b=c" in t)),
    _reads("refuses_what_it_does_not_know", "unknown_keys_are_ignored", _if(lambda t: "futureKey" in t, lambda t: "{")),
    _reads(
        "keeps_the_first_of_repeated_keys",
        "last_of_repeated_keys_counts",
        _if(lambda t: t.count("filterExpression") > 1, lambda t: t.partition(";")[0]),
    ),
    _reads("takes_a_backslash_for_an_escape", "backslashes_are_ordinary", _if(lambda t: "\\;" in t)),
    _reads(
        "closes_braces_itself",
        "unbalanced_braces_are_refused",
        _if(lambda t: t.count("{") > t.count("}"), lambda t: t + "}"),
    ),
    _reads(
        "takes_any_text_for_true",
        "truth_values_are_read_in_any_spelling",
        _if(lambda t: "includeTime=" in t, lambda t: t.replace("includeTime=0", "includeTime=true")),
    ),
)

SELECTION = (
    _reads("selects_everything_by_ids", "selects_by_signal_ids", _if(lambda t: "-" in t)),
    _reads("knows_no_keys", "selects_by_measurement_keys", _if(lambda t: "-" not in t and "FILTER" not in t)),
    _reads("fails_a_whole_list_for_one_id", "skips_ids_that_nobody_has", _if(lambda t: "badc0de;" in t, lambda t: "{")),
    _reads(
        "compares_filter_with_case",
        "selects_by_a_filter_statement",
        _if(lambda t: "{filter" in t, lambda t: "filterExpression={FILTER Nothing WHERE (}"),
    ),
    _reads("ignores_conditions", "selects_by_a_filter_statement", _if(lambda t: "SignalType" in t)),
    _reads("has_no_point_tags", "selects_by_point_tag", _if(lambda t: "PointTag =" in t)),
    _reads("ignores_top", "selects_the_first_of_an_order", _if(lambda t: "TOP" in t)),
    _reads(
        "lacks_a_column",
        "filters_by_every_standard_column",
        _asks(lambda t: t.replace("PhasorType IS NULL", "Nonsense IS NULL")),
    ),
    _reads(
        "takes_a_filter_that_matches_nothing_for_all",
        "answers_a_filter_that_matches_nothing",
        _if(lambda t: "WHERE False" in t),
    ),
    _reads("takes_no_filter_for_all", "no_filter_selects_nothing", _if(lambda t: "filterExpression" not in t)),
    _says(
        "is_silent_about_nothing", "answers_a_filter_that_matches_nothing", dropped(None, answering=Command.SUBSCRIBE)
    ),
    _reads("takes_unreadable_filters_for_all", "refuses_an_unreadable_filter", _if(lambda t: "WHERE (" in t)),
    _reads("hands_sql_to_its_database", "refuses_sql", _if(lambda t: "SELECT" in t)),
    _reads(
        "serves_synchronized_subscriptions",
        "refuses_synchronized_subscriptions",
        replaced(Command.SUBSCRIBE, lambda frame: frame[:1] + b"\2" + frame[2:]),
    ),
    _says(
        "sends_full_fidelity_packets",
        "sends_no_full_fidelity_packet",
        replaced(Response.DATA_PACKET, lambda frame: frame[:6] + b"\0" + frame[7:]),
    ),
    mutant(
        "publisher_reads_disabled_as_enabled",
        PUBLISHER,
        IsAsked(
            lambda request, fields: (
                {"document": fields["document"].replace("<Enabled>false", "<Enabled>true")}
                if request == "redefine-metadata"
                else fields
            )
        ),
        caught_by=("disabled_measurements_cannot_be_subscribed",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_lets_an_unreadable_filter_select_everything",
        PUBLISHER,
        Hears(_if(lambda t: "WHERE (" in t)),
        caught_by=("publisher_refuses_subscriptions_alike_in_both_directions[refuses_an_unreadable_filter]",),
    ),
)

STREAMS = (
    mutant(
        "publisher_reads_throttled_and_streams_everything",
        PUBLISHER,
        Hears(_asks(lambda text: text.replace("throttled=True", "throttled=False"))),
        caught_by=("throttling_limits_the_rate",),
    ),
    mutant(
        "publisher_sends_no_cache",
        PUBLISHER,
        Says(dropped(Response.UPDATE_SIGNAL_INDEX_CACHE)),
        caught_by=("offers_a_cache_for_a_subscription",),
    ),
    _says("never_answers_subscribe", "offers_a_cache_for_a_subscription", dropped(0x80, answering=Command.SUBSCRIBE)),
    _says("fails_without_a_reason", "failures_have_a_text", edited(Response.FAILED, lambda text: b"")),
    _says(
        "succeeds_without_a_word", "successes_have_a_text", edited(0x80, lambda text: b"", answering=Command.SUBSCRIBE)
    ),
    _says(
        "puts_a_length_before_texts",
        "texts_fill_their_replies",
        edited(0x80, lambda text: len(text).to_bytes(4, "big") + text, answering=Command.UNSUBSCRIBE),
    ),
    _says("ends_texts_with_a_zero", "texts_fill_their_replies", edited(Response.FAILED, lambda text: text + b"\0")),
    _says(
        "cuts_texts_within_a_character", "texts_fill_their_replies", edited(0x81, lambda text: text + "ä".encode()[:1])
    ),
    _reads("sends_every_signal", "sends_only_what_was_subscribed", _asks(_without_filter)),
    _says("sends_everything_twice", "sends_only_what_was_subscribed", _twice),
    _reads("gives_all_subscribers_the_same", "subscribers_get_their_own_signals", _asks(_without_filter)),
    mutant(
        "publisher_confirms_for_the_subscriber",
        PUBLISHER,
        Hears(lambda frame, conversation: (frame, b"\x0a") if frame[0] == Command.SUBSCRIBE else (frame,)),
        caught_by=("holds_data_until_the_cache_is_confirmed",),
    ),
    _reads(
        "does_not_know_of_the_nan_filter",
        "sends_nan_as_it_was_asked",
        _asks(lambda text: text + ";requestNaNValueFilter=false"),
    ),
    _reads(
        "always_leaves_out_nan",
        "sends_nan_as_it_was_asked",
        _asks(lambda text: text + ";requestNaNValueFilter=true"),
    ),
    _says("tells_the_start_behind_the_data", "start_time_precedes_the_data", _start_behind_data),
    _says("tells_the_start_as_text", "start_time_precedes_the_data", edited(0x86, lambda ticks: b"2026-01-01")),
    _says("tells_no_start", "start_time_is_that_of_the_first_measurement", dropped(Response.DATA_START_TIME)),
    _says(
        "tells_the_start_by_its_clock",
        "start_time_is_that_of_the_first_measurement",
        edited(0x86, lambda ticks: b"\x08\xde" + bytes(6)),
    ),
    _says("ignores_a_second_subscribe", "accepts_subscribe_while_subscribed", _old_cache_again),
    _reads("keeps_the_first_selection", "resubscribing_replaces_the_selection", _everything_once_asked),
    _reads(
        "ends_a_subscription_before_it_reads_the_next",
        "failed_subscribe_leaves_the_subscription",
        _ends_before_it_reads,
    ),
    _says("unsubscribes_without_a_word", "answers_unsubscribe", dropped(0x80, answering=Command.UNSUBSCRIBE)),
    _reads("hangs_up_at_unsubscribe", "keeps_the_connection_after_unsubscribe", replaced(3, lambda frame: CLOSE)),
    mutant(
        "publisher_only_says_that_it_unsubscribes",
        PUBLISHER,
        Hears(replaced(Command.UNSUBSCRIBE, lambda frame: b"\x05\xff\xff\xff\xff")),
        Says(replaced(Response.SUCCEEDED, lambda frame: b"\x80\x03\x00\x00\x00\x00", answering=_FENCE, first=True)),
        caught_by=("sends_no_data_after_unsubscribe",),
    ),
    _says("is_mute_after_subscribing_again", "streams_after_unsubscribe_and_subscribe", _mute_after_resubscribing),
)

SUBSCRIBERS = (
    _asked("counts_characters", "subscribe_is_well_formed", replaced(2, lambda f: f[:5] + bytes((f[5] ^ 1,)) + f[6:])),
    _asked("asks_for_synchronized", "subscribe_is_well_formed", replaced(2, lambda f: f[:1] + b"\3" + f[2:])),
    _asked(
        "forgets_an_equals_sign", "subscribe_is_well_formed", _asks(lambda t: t.replace("includeTime=", "includeTime"))
    ),
    _asked("writes_a_decimal_comma", "subscribe_is_well_formed", _asks(lambda t: t + ";lagTime=0,5")),
    _asked("asks_for_udp_port_0", "subscribe_is_well_formed", _asks(lambda t: t + ";dataChannel={localport=0}")),
    _asked("writes_yes_and_no", "subscribe_is_well_formed", _asks(lambda t: t + ";throttled=no")),
    _asked(
        "sends_filters_bare",
        "filter_expression_is_wrapped_in_braces",
        _asks(lambda t: t.replace("{", "").replace("}", "")),
    ),
    _hears(
        "refuses_a_zero_in_a_text",
        "tolerates_a_length_before_a_text",
        replaced(0x80, lambda f: CLOSE if b"\0\x0a" in f[6:] else f),
    ),
    _hears(
        "decodes_strictly",
        "tolerates_a_text_that_does_not_decode",
        replaced(0x80, lambda f: CLOSE if b"\xff" in f[6:] else f),
    ),
    _hears("ignores_a_cache_before_success", "takes_replies_in_any_order", _no_cache_before_success),
    _hears("begins_anew_at_each_success", "tolerates_a_repeated_reply_to_subscribe", _one_success),
    _hears(
        "ends_at_processing_complete",
        "tolerates_start_time_and_processing_complete_at_any_time",
        replaced(0x87, lambda f: CLOSE),
    ),
    _asked(
        "unsubscribes_at_processing_complete",
        "tolerates_start_time_and_processing_complete_at_any_time",
        replaced(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, lambda frame: (frame, b"\3")),
    ),
    mutant(
        "subscriber_swallows_refusals",
        SUBSCRIBER,
        is_told(lambda events: []),
        caught_by=("reports_a_refused_subscription",),
    ),
    _asked("says_why_it_unsubscribes", "unsubscribes_and_subscribes_again", replaced(3, lambda frame: frame + b"bye")),
    mutant(
        "subscriber_reports_what_was_under_way",
        SUBSCRIBER,
        reports(lambda rows: rows or [["00000000-0000-0000-0000-000000000000", 0, 0.0, 0]]),
        caught_by=("ignores_data_after_unsubscribe",),
    ),
    _asked("waits_for_an_answer_to_unsubscribe", "unsubscribes_and_subscribes_again", _no_subscribe_after_unsubscribe),
    *(
        one
        for what, check, wrong in (
            ("asks_for_no_metadata", "subscribe_is_well_formed", dropped(Command.METADATA_REFRESH)),
            ("subscribes_twice", "takes_replies_in_any_order", replaced(2, lambda frame: (frame, frame))),
            ("asks_for_short_times", "subscribe_is_well_formed", _asks(lambda t: t + ";useMillisecondResolution=1")),
        )
        for one in in_each_direction(
            f"subscriber_that_{{dials}}_{what}",
            SUBSCRIBER,
            Says(wrong),
            caught_by=(f"subscriber_subscribes_alike_in_both_directions[{check}]",),
        )
    ),
    *(
        one
        for what, check, wrong in (
            ("answers_unsubscribe_otherwise", "answers_unsubscribe", edited(0x80, lambda t: b"bye", answering=3)),
            (
                "tells_no_start_of_the_data",
                "failed_subscribe_leaves_the_subscription",
                dropped(Response.DATA_START_TIME),
            ),
        )
        for one in in_each_direction(
            f"publisher_that_{{dials}}_{what}",
            PUBLISHER,
            Says(wrong),
            caught_by=(f"publisher_hands_over_alike_in_both_directions[{check}]",),
        )
    ),
)

MUTANTS = (*CONNECTION_STRINGS, *SELECTION, *STREAMS, *SUBSCRIBERS)
