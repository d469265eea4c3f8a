"""What only shows between two sessions: secrets that both can read, numbers that wrap, questions and answers."""

from __future__ import annotations

import numpy as np
import pytest

from session_pair import Pair, cache, rows
from sttp.codes import ModeFlags, OperationalModes, TextEncoding
from sttp.measurement import Columns
from sttp.session.events import (
    BufferBlockConfirmed,
    BufferBlockReceived,
    CipherKeysRequested,
    CommandFailed,
    CommandSucceeded,
    NotificationConfirmed,
    NotificationReceived,
    SubscribeRequested,
    UserCommandReceived,
    UserResponseReceived,
)
from sttp.wire.subscription import SubscriptionOptions

T = 638_000_000_000_000_000
COMPRESSION = [ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED, ModeFlags.GZIP, ModeFlags.COMPRESS_METADATA,
               ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE, ModeFlags.COMPRESS_PAYLOAD_DATA, ModeFlags.TSSC,
               ModeFlags.GZIP | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE]  # fmt: skip


def frame(number: int, signals: int = 3) -> Columns:
    return Columns(
        np.arange(signals, dtype=np.int32),
        np.full(signals, T + number * 333_333, np.int64),
        np.zeros(signals, np.uint32),
        np.arange(signals, dtype=np.float32) + np.float32(number),
    )


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("encoding", TextEncoding)
@pytest.mark.parametrize("flags", COMPRESSION, ids=lambda flags: f"{int(flags):08X}")
def test_every_version_encoding_and_compression(version: int, encoding: TextEncoding, flags: ModeFlags) -> None:
    pair = Pair(OperationalModes(version=version, encoding=encoding, flags=flags), cut=7)
    pair.stream(cache(3), SubscriptionOptions(filter_expression="Zähler ∑"))
    (request,) = [event for event in pair.published if isinstance(event, SubscribeRequested)]
    assert request.options.filter_expression == "Zähler ∑"
    for number in range(3):
        pair.publisher.send_measurements(frame(number))
    pair.publisher.send_notification("Grüße ∑")
    pair.exchange()
    assert pair.received() == [row for number in range(3) for row in rows(frame(number))]
    assert NotificationReceived(text="Grüße ∑") in pair.subscribed


@pytest.mark.parametrize("flags", [ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED])
def test_encrypted_and_rotated_under_a_running_stream(flags: ModeFlags) -> None:
    pair = Pair(OperationalModes(flags=flags))
    pair.stream(cache(3))
    pair.answer = lambda event: pair.publisher.rotate_cipher_keys() if isinstance(event, CipherKeysRequested) else None
    for number in range(8):
        if number % 2:
            pair.subscriber.rotate_cipher_keys()
            pair.exchange()
        pair.publisher.send_measurements(frame(number))
        pair.publisher.send_buffer_block(number % 3, b"secret")
    pair.exchange()
    assert pair.received() == [row for number in range(8) for row in rows(frame(number))]
    assert sum(isinstance(event, CommandSucceeded) for event in pair.subscribed) == 4
    blocks = [event for event in pair.subscribed if isinstance(event, BufferBlockReceived)]
    assert [event.payload for event in blocks] == [b"secret"] * 8


def test_the_sequence_number_wraps_from_65535_to_1() -> None:
    pair = Pair()
    pair.stream(cache(1))
    count = 65_540
    for number in range(count):
        pair.publisher.send_measurements(frame(number, signals=1))
        if number % 1000 == 0 or number >= 65_530:
            pair.exchange()
    pair.exchange()
    received = pair.received()
    assert len(received) == count
    assert received[-8:] == [row for number in range(count - 8, count) for row in rows(frame(number, signals=1))]


def test_confirmations_come_back() -> None:
    pair = Pair()
    pair.stream(cache(2))
    digest = pair.publisher.send_notification("hi")
    sequence = pair.publisher.send_buffer_block(1, b"file")
    pair.exchange()
    assert pair.published[-2:] == [NotificationConfirmed(hash=digest), BufferBlockConfirmed(sequence=sequence)]


def test_user_commands_and_responses() -> None:
    pair = Pair()
    pair.stream(cache(1))

    def answer(event: object) -> None:
        if isinstance(event, UserCommandReceived):
            pair.publisher.send_user_response(3, event.payload[::-1], command=event.number)

    pair.answer = answer
    pair.subscriber.send_user_command(2, b"abc")
    pair.exchange()
    assert pair.subscribed[-1] == UserResponseReceived(number=3, command=0xD2, payload=b"cba")


def test_a_speed_and_a_refusal_are_answered() -> None:
    pair = Pair()
    pair.stream(cache(1))
    pair.answer = lambda event: (
        pair.publisher.refuse_cipher_keys("use TLS") if isinstance(event, CipherKeysRequested) else None
    )
    pair.subscriber.update_processing_interval(0)
    pair.subscriber.rotate_cipher_keys()
    pair.exchange()
    assert pair.subscribed[-2:] == [
        CommandSucceeded(command=5, text="Processing interval noted."),
        CommandFailed(command=4, reason="use TLS"),
    ]
