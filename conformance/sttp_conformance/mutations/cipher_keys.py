"""Wrong about cipher keys."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, DataPacketFlags, Response
from sttp.wire.cipher import CipherKey, DataCipher
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import Mutant, in_each_direction, mutant
from sttp_conformance.rewrites import (
    CLOSE,
    Conversation,
    Item,
    Rewrite,
    added_after,
    added_before,
    all_of,
    dropped,
    edited,
    harmed,
    replaced,
    with_payload,
)

_KEYS = Response.UPDATE_CIPHER_KEYS
_PACKET = Response.DATA_PACKET
_ROTATE = Command.ROTATE_CIPHER_KEYS
_CIPHER = DataPacketFlags.CIPHER_INDEX


def _learned(frame: bytes, conversation: Conversation) -> DataCipher:
    """The keys of a conversation, as they were told last."""
    cipher: DataCipher = conversation.memory.setdefault("cipher", DataCipher())
    if frame[0] == _KEYS and len(frame) == 119:
        cipher.keys = CipherKey(frame[11:43], frame[47:63]), CipherKey(frame[67:99], frame[103:119])
        cipher.active = frame[6]
    return cipher


def _packets(change: Callable[[bytes, DataCipher], Item]) -> Rewrite:
    """Encrypted data packets become something else."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        cipher = _learned(frame, conversation)
        return (change(frame, cipher) if frame[0] == _PACKET and cipher.keys else frame,)

    return rewrite


def _plain(frame: bytes, cipher: DataCipher) -> bytes:
    """The payload of a data packet, decrypted."""
    return frame[6:7] + bytes(cipher.decrypt(frame[7:], odd=bool(frame[6] & _CIPHER)))


def _is_plain(frame: bytes, cipher: DataCipher) -> Item:
    return with_payload(frame, _plain(frame, cipher))


def _names_the_other_set(frame: bytes, cipher: DataCipher) -> Item:
    return frame[:6] + bytes((frame[6] ^ _CIPHER,)) + frame[7:]


def _has_another_padding(frame: bytes, cipher: DataCipher) -> Item:
    """What was padding is data now, and another padding follows: as for a reader that leaves it."""
    assert cipher.keys is not None
    plain = _plain(frame, cipher)
    padding = 16 - (len(plain) - 1) % 16
    key = cipher.keys[bool(frame[6] & _CIPHER)]
    return with_payload(frame, plain[:1] + key.encrypt(plain[1:] + bytes((padding,)) * padding))


def _goes_by_the_active_set(frame: bytes, cipher: DataCipher) -> Item:
    """The flag of a packet is not looked at."""
    return frame[:6] + bytes((frame[6] & ~_CIPHER | (_CIPHER if cipher.active else 0),)) + frame[7:]


def _keeps_keys(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """From the second connection on data is encrypted, though no key was told."""
    if conversation.number == 1 or frame[0] != _PACKET or conversation.memory.get("told"):
        return (frame,)
    key = CipherKey(bytes(32), bytes(16))
    return (with_payload(frame, frame[6:7] + key.encrypt(frame[7:])),)


def _takes_the_new_set(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A rotation replaces the set that it makes active."""
    if frame[0] != _KEYS:
        return (frame,)
    spoiled = frame[:11] + bytes(32) + frame[43:67] + bytes(32) + frame[99:]
    return (spoiled if conversation.count("keys") == 2 else frame,)


def _stays_with_its_set(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The active set is always 0."""
    return (frame[:6] + b"\0" + frame[7:] if frame[0] == _KEYS else frame,)


def _never_recovers(code: int) -> Rewrite:
    """After something of a code that cannot be read nothing is heard any more, on whatever connection."""

    def is_broken(frame: bytes, conversation: Conversation) -> bool:
        encrypted = _learned(frame, conversation).keys is not None or code == _KEYS
        broken = frame[0] == code and (len(frame) != 119 if code == _KEYS else (len(frame) - 7) % 16 != 0)
        return broken and encrypted

    return harmed(is_broken, CLOSE)


def _says(name: str, check: str, wrong: Rewrite) -> Mutant:
    return mutant(f"publisher_{name}", PUBLISHER, Says(wrong), caught_by=(check,))


def _hears(name: str, check: str, wrong: Rewrite) -> Mutant:
    return mutant(f"subscriber_{name}", SUBSCRIBER, Hears(wrong), caught_by=(check,))


MUTANTS = (
    _says("is_silent_about_rotating_cipher_keys", "answers_rotate_cipher_keys", dropped(None, answering=_ROTATE)),
    mutant(
        "publisher_rotates_cipher_keys_without_sending_any",
        PUBLISHER,
        Says(all_of(dropped(_KEYS), replaced(None, lambda frame: b"\x80" + frame[1:], answering=_ROTATE))),
        caught_by=("rotation_succeeds_only_with_keys",),
    ),
    _says(
        "leaves_the_lengths_out_of_cipher_keys",
        "cipher_keys_are_well_formed",
        edited(_KEYS, lambda keys: keys[:1] + keys[5:37] + keys[41:57] + keys[61:93] + keys[97:]),
    ),
    _says(
        "tells_the_active_set_of_cipher_keys_as_a_character",
        "cipher_keys_are_well_formed",
        edited(_KEYS, lambda keys: bytes((keys[0] + 0x30,)) + keys[1:]),
    ),
    _says("adds_a_byte_to_cipher_keys", "cipher_keys_are_well_formed", edited(_KEYS, lambda keys: keys + b"\0")),
    _says("sends_plain_data_behind_cipher_keys", "data_behind_cipher_keys_is_encrypted", _packets(_is_plain)),
    _says("names_the_other_set_of_cipher_keys", "data_behind_cipher_keys_is_encrypted", _packets(_names_the_other_set)),
    _says("uses_cipher_keys_as_it_sends_them", "rotation_changes_to_the_set_that_is_known", _takes_the_new_set),
    _says("never_changes_the_active_cipher_keys", "rotation_changes_to_the_set_that_is_known", _stays_with_its_set),
    _says("keeps_cipher_keys_for_the_next_connection", "cipher_keys_end_with_the_connection", _keeps_keys),
    _says(
        "rotates_cipher_keys_as_often_as_it_is_asked",
        "refuses_hasty_rotations",
        replaced(Response.FAILED, lambda frame: b"\x80" + frame[1:], answering=_ROTATE),
    ),
    _hears(
        "ends_the_connection_at_data_behind_cipher_keys",
        "decrypts_data_behind_cipher_keys",
        _packets(lambda frame, cipher: CLOSE),
    ),
    _hears("takes_no_cipher_keys", "decrypts_data_behind_cipher_keys", dropped(_KEYS)),
    _hears(
        "goes_by_the_active_set_of_cipher_keys",
        "uses_the_key_set_that_each_packet_names",
        _packets(_goes_by_the_active_set),
    ),
    _hears(
        "leaves_the_padding_behind_cipher_keys",
        "removes_the_padding_of_encrypted_data",
        _packets(_has_another_padding),
    ),
    _hears("never_recovers_from_broken_cipher_keys", "survives_broken_cipher_keys", _never_recovers(_KEYS)),
    _hears("never_recovers_from_odd_cipher_text", "survives_cipher_text_of_odd_length", _never_recovers(_PACKET)),
    mutant(
        "subscriber_confirms_cipher_keys",
        SUBSCRIBER,
        Hears(added_after(_KEYS, b"\x89\2\0\0\0\5hash!")),
        Says(replaced(Command.CONFIRM_NOTIFICATION, lambda frame: bytes((Command.CONFIRM_UPDATE_CIPHER_KEYS,)))),
        caught_by=("does_not_confirm_cipher_keys",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_answers_a_rotation_of_cipher_keys_otherwise",
        PUBLISHER,
        Says(added_before(None, b"\x8a\2\0\0\0\0", answering=_ROTATE)),
        caught_by=("publisher_rotates_cipher_keys_alike_in_both_directions[answers_rotate_cipher_keys]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_unsubscribes_at_cipher_keys",
        SUBSCRIBER,
        Hears(added_after(_KEYS, b"\x89\2\0\0\0\5hash!")),
        Says(replaced(Command.CONFIRM_NOTIFICATION, lambda frame: bytes((Command.UNSUBSCRIBE,)))),
        caught_by=("subscriber_decrypts_data_alike_in_both_directions[does_not_confirm_cipher_keys]",),
    ),
)
