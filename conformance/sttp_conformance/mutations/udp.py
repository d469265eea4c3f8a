"""Wrong about the data channel over UDP."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Datagrams, Hears, Says, reports
from sttp_conformance.mutants import Mutant, mutant
from sttp_conformance.rewrites import Conversation, Item, dropped
from sttp_conformance.ways import Direction

_COMPACT_AND_TSSC = 0x02 | 0x08


def _string(frame: bytes) -> str:
    return frame[6:].decode()


def _subscribe(text: str) -> bytes:
    return b"\2\2" + len(text.encode()).to_bytes(4, "big") + text.encode()


def _without_data_channel(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A data channel is not asked for."""
    if frame[0] != Command.SUBSCRIBE:
        return (frame,)
    return (_subscribe(_string(frame).replace("dataChannel", "otherChannel")),)


def _stays_with_udp(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The data channel of an earlier Subscribe is taken for the next one."""
    if frame[0] != Command.SUBSCRIBE:
        return (frame,)
    text = _string(frame)
    found = [each for each in text.split(";") if each.strip().startswith("dataChannel")]
    kept = conversation.memory.setdefault("channel", found)
    return (frame,) if found else (_subscribe(";".join((text.rstrip(";"), *kept))),)


def _first_response(datagram: bytes) -> tuple[bytes, ...]:
    """Only the first response of a datagram is read."""
    return (datagram[: 6 + int.from_bytes(datagram[2:6], "big")],)


def _fills_gaps(rows: list[list[Any]]) -> list[list[Any]]:
    """A measurement that did not come is made up of the one before."""
    return [*rows, *([signal, int(ticks) + 1, *others] for signal, ticks, *others in rows[:1])]


def _sends(name: str, check: str, datagrams: Any) -> Mutant:
    return mutant(f"publisher_{name}", PUBLISHER, Datagrams(datagrams), caught_by=(check,))


MUTANTS = (
    _sends(
        "puts_the_length_of_a_frame_into_datagrams",
        "datagrams_are_responses_without_a_length",
        lambda datagram: (len(datagram).to_bytes(4, "big") + datagram,),
    ),
    _sends(
        "leaves_the_inner_length_out_of_datagrams",
        "datagrams_are_responses_without_a_length",
        lambda datagram: (datagram[:2] + datagram[6:],),
    ),
    _sends("sends_noop_by_datagram", "only_data_goes_over_udp", lambda datagram: (datagram, b"\xff\2\0\0\0\0")),
    _sends("sends_each_datagram_twice", "only_data_goes_over_udp", lambda datagram: (datagram, datagram)),
    mutant(
        "publisher_sends_data_over_udp_and_tcp",
        PUBLISHER,
        Says(
            lambda frame, conversation: (
                (frame, b"\x82\2\0\0\0\5\2\0\0\0\0") if frame[0] == Response.DATA_START_TIME else (frame,)
            )
        ),
        caught_by=("only_data_goes_over_udp",),
    ),
    _sends(
        "sends_tssc_by_datagram",
        "datagrams_are_compact",
        lambda datagram: (datagram[:6] + bytes((datagram[6] ^ _COMPACT_AND_TSSC,)) + datagram[7:],),
    ),
    _sends("sends_large_datagrams", "datagrams_are_small", lambda datagram: (datagram + bytes(1400),)),
    mutant(
        "publisher_that_dials_does_not_use_udp",
        PUBLISHER,
        Hears(_without_data_channel),
        caught_by=("udp_works_in_reverse",),
        only=Direction.REVERSE,
    ),
    mutant(
        "publisher_does_not_use_udp",
        PUBLISHER,
        Hears(_without_data_channel),
        caught_by=("datagrams_are_responses_without_a_length",),
    ),
    mutant(
        "publisher_stays_with_udp",
        PUBLISHER,
        Hears(_stays_with_udp),
        caught_by=("returns_from_udp_to_tcp",),
    ),
    mutant(
        "subscriber_makes_up_what_was_lost_over_udp",
        SUBSCRIBER,
        reports(_fills_gaps),
        caught_by=("tolerates_lost_and_repeated_datagrams",),
    ),
    mutant(
        "subscriber_reads_no_datagram",
        SUBSCRIBER,
        Datagrams(lambda datagram: ()),
        caught_by=("tolerates_lost_and_repeated_datagrams", "reads_several_responses_in_a_datagram"),
    ),
    mutant(
        "subscriber_reads_the_first_response_of_a_datagram",
        SUBSCRIBER,
        Datagrams(_first_response),
        caught_by=("reads_several_responses_in_a_datagram",),
    ),
    mutant(
        "subscriber_over_udp_reads_no_data_on_tcp",
        SUBSCRIBER,
        Hears(dropped(Response.DATA_PACKET)),
        caught_by=("reads_data_on_tcp_though_udp_was_asked",),
    ),
)
