"""Every message cut at every byte, and damaged at every byte, in both roles: a documented error, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from samples import COLUMNS, SAMPLES, answer_everything, streaming_publisher, streaming_subscriber
from sttp.errors import FrameError, ProtocolError, RefusedError
from sttp.session import PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.session.events import Ended
from sttp.wire.subscription import SubscriptionOptions

Begin = Callable[[], Session[object]]

EACH = pytest.mark.parametrize(("begin", "frame"), SAMPLES.values(), ids=SAMPLES)


def end_of(session: Session[object]) -> BaseException | None:
    """Why the session ended; it must have, once."""
    (end,) = [event for event in answer_everything(session) if isinstance(event, Ended)]
    return end.error


@EACH
def test_the_stream_ends_within_a_message(begin: Begin, frame: bytes) -> None:
    for cut in range(len(frame)):
        session = begin()
        session.receive_data(frame[:cut], now=1)
        assert answer_everything(session) == []
        session.receive_eof(now=1)
        error = end_of(session)
        assert isinstance(error, FrameError) if cut else error is None, cut
        assert session.data_to_send() == []


@EACH
def test_a_message_that_is_damaged(begin: Begin, frame: bytes) -> None:
    session = begin()
    for position in range(4, len(frame)):
        for damage in {0xFF, frame[position] ^ 0x80, frame[position] + 1 & 0xFF}:
            damaged = bytearray(frame)
            damaged[position] = damage
            session.receive_data(damaged, now=1)
            events = answer_everything(session)
            if session.ended:
                (end,) = [event for event in events if isinstance(event, Ended)]
                assert isinstance(end.error, ProtocolError | RefusedError), (position, damage)
                session = begin()


@EACH
def test_a_message_whose_payload_is_cut_off(begin: Begin, frame: bytes) -> None:
    """The frame says how long it is, and it is too short for what is in it."""
    session = begin()
    for cut in range(4, len(frame)):
        session.receive_data((cut - 4).to_bytes(4, "big") + frame[4:cut], now=1)
        events = answer_everything(session)
        if session.ended:
            (end,) = [event for event in events if isinstance(event, Ended)]
            assert isinstance(end.error, ProtocolError | RefusedError), cut
            session = begin()


@EACH
def test_a_message_in_the_ears_of_the_wrong_role(begin: Begin, frame: bytes) -> None:
    session = streaming_subscriber() if begin is streaming_publisher else streaming_publisher()
    session.receive_data(frame, now=1)
    answer_everything(session)
    session.receive_eof(now=1)
    assert session.ended


@EACH
def test_a_message_before_anything_else(begin: Begin, frame: bytes) -> None:
    session = PublisherSession(now=0) if begin is streaming_publisher else SubscriberSession(now=0)
    session.receive_data(frame, now=1)
    ends = [event for event in answer_everything(session) if isinstance(event, Ended)]
    assert len(ends) == session.ended
    assert all(isinstance(end.error, ProtocolError | RefusedError) for end in ends)


def test_a_conversation_that_breaks_off_at_every_byte() -> None:
    upstream, downstream = recorded()
    for cut in range(len(upstream)):
        publisher = PublisherSession(now=0)
        publisher.receive_data(upstream[:cut], now=1)
        answer_everything(publisher)
        publisher.receive_eof(now=1)
        error = end_of(publisher)
        assert error is None or isinstance(error, FrameError), cut
    for cut in range(len(downstream)):
        subscriber = wanting_everything()
        subscriber.receive_data(downstream[:cut], now=1)
        subscriber.receive_eof(now=1)
        error = end_of(subscriber)
        assert error is None or isinstance(error, FrameError), cut


def wanting_everything() -> SubscriberSession:
    subscriber = SubscriberSession(now=0)
    subscriber.refresh_metadata()
    subscriber.subscribe(SubscriptionOptions(filter_expression="everything"))
    return subscriber


def recorded() -> tuple[bytes, bytes]:
    """What the two sessions say from the modes to measurements, the subscriber's bytes first."""
    publisher, subscriber = PublisherSession(now=0), wanting_everything()
    upstream, downstream = b"", b""
    sent = False
    while up := b"".join(subscriber.data_to_send()):
        publisher.receive_data(up, now=0)
        answer_everything(publisher)
        if publisher.signals is not None and not sent:
            publisher.send_measurements(COLUMNS)
            sent = True
        down = b"".join(publisher.data_to_send())
        subscriber.receive_data(down, now=0)
        upstream, downstream = upstream + up, downstream + down
    assert sent
    return upstream, downstream
