from __future__ import annotations

import pytest

from sttp.codes import DataPacketFlags, OperationalModes
from sttp.errors import MessageError, UsageError
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.responses import BufferBlock, BufferBlockFlags, DataPacket, NoOP, read_responses, write_response

MODES = OperationalModes()
EVEN = CipherKey(bytes(range(32)), bytes(range(16)))
ODD = CipherKey(bytes(range(0x80, 0xA0)), bytes(range(0xF0, 0x100)))

PACKET = DataPacket(
    flags=DataPacketFlags.COMPACT,
    count=1,
    body=bytes.fromhex("00 00000000 426FCCCD 08DAA19EA6B30000"),
)
WORKED = bytes.fromhex("00000027 82 02 00000021 02138748B6F954B9291CD5C9A3C1A8418A95D76E8C07225661 4D45D2F1DE41A52B")
"""The example of wire.md 7.7: the packet of 6.2 under the even key."""


def cipher(active: int = 0) -> DataCipher:
    made = DataCipher()
    made.keys, made.active = (EVEN, ODD), active
    return made


def test_the_worked_example_both_ways() -> None:
    assert write_response(PACKET, MODES, cipher()) == WORKED
    (packet,) = read_responses(WORKED[4:], MODES, cipher=cipher())
    assert packet == PACKET


def test_the_flags_name_the_key() -> None:
    frame = write_response(PACKET, MODES, cipher(active=1))
    (packet,) = read_responses(frame[4:], MODES, cipher=cipher(active=0))
    assert isinstance(packet, DataPacket)
    assert packet.flags == DataPacketFlags.COMPACT | DataPacketFlags.CIPHER_INDEX
    assert (packet.count, packet.body) == (PACKET.count, PACKET.body)


def test_buffer_blocks_are_encrypted_behind_their_flags() -> None:
    block = BufferBlock(sequence=7, flags=BufferBlockFlags.REQUIRE_CONFIRMATION, signal_index=3, payload=b"HELLO")
    frame = write_response(block, MODES, cipher())
    assert frame[10:15] == bytes.fromhex("00000007 01")
    assert b"HELLO" not in frame
    assert list(read_responses(frame[4:], MODES, cipher=cipher())) == [block]


def test_nothing_else_is_encrypted_and_nothing_without_keys() -> None:
    assert write_response(NoOP(), MODES, cipher()) == write_response(NoOP(), MODES)
    assert write_response(PACKET, MODES, DataCipher()) == write_response(PACKET, MODES)
    assert list(read_responses(write_response(PACKET, MODES)[4:], MODES, cipher=DataCipher())) == [PACKET]


@pytest.mark.parametrize("length", range(40))
def test_any_length_comes_back(length: int) -> None:
    plain = bytes(range(length))
    secret = EVEN.encrypt(plain)
    assert len(plain) < len(secret) <= len(plain) + 16
    assert EVEN.decrypt(secret) == plain


def test_what_no_key_opens() -> None:
    secret = EVEN.encrypt(b"measurements")
    for damaged in (b"", secret[:-1], secret + b"\0"):
        with pytest.raises(MessageError, match=r"blocks .*7\.7"):
            EVEN.decrypt(damaged)
    for end in (0, 17, 255):
        bad = CipherKey(EVEN.key, bytes(16))
        encryptor = bad._cipher.encryptor()
        with pytest.raises(MessageError, match="padding"):
            bad.decrypt(encryptor.update(bytes(15) + bytes((end,))))
    with pytest.raises(MessageError, match="1 are the least"):
        list(read_responses(bytes.fromhex("82 02 00000000"), MODES, cipher=cipher()))


def test_keys_have_one_length_and_no_face() -> None:
    for key, iv in ((bytes(16), bytes(16)), (bytes(32), bytes(12))):
        with pytest.raises(UsageError, match="32 and 16 bytes"):
            CipherKey(key, iv)
    assert CipherKey.fresh() != CipherKey.fresh()
    assert repr(EVEN) == "<CipherKey>"
    assert {EVEN, CipherKey(EVEN.key, EVEN.iv), ODD} == {EVEN, ODD}
