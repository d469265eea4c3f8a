"""The cipher of the data channel: AES-256-CBC with PKCS#7 padding (wire.md 7.7).

Known to gsfapi alone, and weak: one initialisation vector for all packets under one key, nothing authenticates them,
and the keys travel on the command channel. It is here to be understood. What has to be secret goes through TLS.
"""

from __future__ import annotations

import os
from typing import Final

from sttp.errors import MessageError, UsageError
from sttp.wire.frame import Buffer

__all__ = ["CipherKey", "DataCipher"]

_KEY: Final = 32
_BLOCK: Final = 16


class CipherKey:
    """One of the two key sets.

    Args:
        key: 32 bytes.
        iv: 16 bytes, the same for all packets.

    Raises:
        UsageError: bytes of another length.
    """

    __slots__ = ("_cipher", "iv", "key")

    def __init__(self, key: bytes, iv: bytes) -> None:
        if (len(key), len(iv)) != (_KEY, _BLOCK):
            raise UsageError(f"a cipher key has {_KEY} and {_BLOCK} bytes (wire.md 7.7), not {len(key)} and {len(iv)}")
        # imported late: it takes longer than all of the wire, and hardly anybody has keys
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415

        self.key = key
        self.iv = iv
        self._cipher = Cipher(algorithms.AES256(key), modes.CBC(iv))

    @classmethod
    def fresh(cls) -> CipherKey:
        """A key of random bytes."""
        return cls(os.urandom(_KEY), os.urandom(_BLOCK))

    def __eq__(self, other: object) -> bool:
        return (self.key, self.iv) == (other.key, other.iv) if isinstance(other, CipherKey) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.key, self.iv))

    def __repr__(self) -> str:
        return "<CipherKey>"  # never the bytes: they would end up in a log

    def encrypt(self, plain: Buffer) -> bytes:
        """Pad and encrypt; the result is 1 to 16 bytes longer."""
        padding = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher.encryptor()
        return encryptor.update(b"".join((plain, bytes((padding,)) * padding))) + encryptor.finalize()

    def decrypt(self, secret: Buffer) -> bytes:
        """Decrypt and remove the padding.

        Raises:
            MessageError: not a whole number of blocks, or a padding that cannot be: another key, or damage.
        """
        if not secret or len(secret) % _BLOCK:
            raise MessageError(f"{len(secret)} bytes of cipher text, which is no number of blocks", clause="7.7")
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(secret) + decryptor.finalize()
        padding = plain[-1]
        if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes((padding,)) * padding:
            raise MessageError("cipher text whose padding cannot be: another key, or damage", clause="7.7")
        return plain[:-padding]


class DataCipher:
    """What the newest UpdateCipherKeys of a connection said; nothing before the first one.

    As soon as there are keys, all data packets and buffer blocks of the connection are encrypted behind their flags. No
    flag says so, only which of the two keys it was.

    Attributes:
        keys: the even and the odd key; None before there are any.
        active: which of them the publisher uses, 0 or 1.
    """

    __slots__ = ("active", "keys")

    def __init__(self) -> None:
        self.keys: tuple[CipherKey, CipherKey] | None = None
        self.active = 0

    def encrypt(self, plain: Buffer) -> Buffer:
        """Encrypt with the active key, if there are keys."""
        return plain if self.keys is None else self.keys[self.active].encrypt(plain)

    def decrypt(self, secret: Buffer, *, odd: bool) -> Buffer:
        """Decrypt with the key that the flags of the packet name, if there are keys.

        Raises:
            MessageError: it cannot have been encrypted with that key.
        """
        return secret if self.keys is None else self.keys[int(odd)].decrypt(secret)
