"""TLS: the side that listens is its server, both sides prove who they are, and before that nothing of STTP passes.

Made over TLS only. The suite speaks it by itself (`SecureStream`), so that it can speak it wrong.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sttp.codes import Role
from sttp.errors import TransportError
from sttp.transport import ByteStream
from sttp.wire.commands import DefineOperationalModes, write_command
from sttp.wire.responses import NoOP, write_response
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.credentials import Credential
from sttp_conformance.scripted_subscriber import TSSC
from sttp_conformance.secure_stream import SecureStream
from sttp_conformance.violation import Skip, Violation
from sttp_conformance.ways import Direction

_BUFFER: Final = 64 * 1024
_HANDSHAKE: Final = 22
"""Content type of a TLS record that belongs to a handshake (RFC 8446 5.1)."""

_ALERT: Final = 21
_CLIENT_HELLO: Final = 1
_LISTENS: Final = {PUBLISHER: (Direction.FORWARD,), SUBSCRIBER: (Direction.REVERSE,)}
"""In which direction a role listens."""


# --- who is the server


@check(PUBLISHER, secure=True)
async def publisher_speaks_tls_by_who_listens(case: Case) -> None:
    """A publisher that listens is the server of TLS, one that dials its client, and it begins at once."""
    await _speaks_tls_by_who_listens(case)


@check(SUBSCRIBER, secure=True)
async def subscriber_speaks_tls_by_who_listens(case: Case) -> None:
    """A subscriber that listens is the server of TLS, one that dials its client, and it begins at once."""
    await _speaks_tls_by_who_listens(case)


async def _speaks_tls_by_who_listens(case: Case) -> None:
    async with _bare(case) as stream:
        if case.implementation.dials:
            first = await _first_bytes(case, stream)
            case.require(
                first[:1] == bytes((_HANDSHAKE,)) and first[5:6] == bytes((_CLIENT_HELLO,)),
                "a ClientHello of TLS as the first that it sends, since it dialed",
                first[:16].hex(" ") or "the end of the connection",
            )
            return
        try:
            async with asyncio.timeout(case.grace.quiet):
                first = await _received(stream)
        except TimeoutError:
            pass
        else:
            raise Violation(
                "expected that it waits for a ClientHello, since it listens, but it "
                + (f"sent {first[:16].hex(' ')}" if first else "ended the connection")
            )
    await _is_served(case)


# --- nothing in the clear


@check(PUBLISHER, secure=True)
async def publisher_says_nothing_in_the_clear(case: Case) -> None:
    """A publisher neither says nor takes anything of STTP outside of TLS."""
    await _says_nothing_in_the_clear(case, write_command(DefineOperationalModes(modes=TSSC), TSSC))


@check(SUBSCRIBER, secure=True)
async def subscriber_says_nothing_in_the_clear(case: Case) -> None:
    """A subscriber neither says nor takes anything of STTP outside of TLS."""
    await _says_nothing_in_the_clear(case, write_response(NoOP(), TSSC))


async def _says_nothing_in_the_clear(case: Case, words: bytes) -> None:
    async with _bare(case) as stream:
        with suppress(TransportError):
            await stream.send([words])
        said = await _until_its_end(case, stream)
        while said:  # an alert, and in front of it the beginning of a handshake, if it dialed
            length = 5 + int.from_bytes(said[3:5], "big")
            case.require(said[0] in (_HANDSHAKE, _ALERT), "records of TLS only", said[:16].hex(" "))
            said = said[length:]


# --- both prove who they are


@check(PUBLISHER, secure=True)
async def publisher_shows_its_certificate(case: Case) -> None:
    """A publisher shows the certificate that it was given, whoever dials."""
    await _is_served(case)


@check(SUBSCRIBER, secure=True)
async def subscriber_shows_its_certificate(case: Case) -> None:
    """A subscriber shows the certificate that it was given, whoever dials."""
    await _is_served(case)


@check(PUBLISHER, secure=True)
async def publisher_turns_strangers_away(case: Case) -> None:
    """A publisher has no word of STTP for whoever shows a certificate that it does not know."""
    await _turns_away(case, _showing(case, case.implementation.credentials.stranger))


@check(SUBSCRIBER, secure=True)
async def subscriber_turns_strangers_away(case: Case) -> None:
    """A subscriber has no word of STTP for whoever shows a certificate that it does not know."""
    await _turns_away(case, _showing(case, case.implementation.credentials.stranger))


@check(PUBLISHER, secure=True, directions=_LISTENS[PUBLISHER])
async def publisher_turns_those_without_certificate_away(case: Case) -> None:
    """A publisher that listens has no word of STTP for whoever shows no certificate."""
    await _turns_away(case, _showing(case, None))


@check(SUBSCRIBER, secure=True, directions=_LISTENS[SUBSCRIBER])
async def subscriber_turns_those_without_certificate_away(case: Case) -> None:
    """A subscriber that listens has no word of STTP for whoever shows no certificate."""
    await _turns_away(case, _showing(case, None))


@check(PUBLISHER, secure=True)
async def publisher_takes_no_certificate_that_its_peer_issued(case: Case) -> None:
    """A publisher does not take a certificate that the key of its peer has issued, which may issue none."""
    await _turns_away(case, _showing(case, case.implementation.credentials.issued))


@check(SUBSCRIBER, secure=True)
async def subscriber_takes_no_certificate_that_its_peer_issued(case: Case) -> None:
    """A subscriber does not take a certificate that the key of its peer has issued, which may issue none."""
    await _turns_away(case, _showing(case, case.implementation.credentials.issued))


@check(PUBLISHER, secure=True)
async def publisher_serves_on_after_strangers(case: Case) -> None:
    """A publisher that has turned somebody away serves its peer as before, and dials again if it is who dials."""
    await _turns_away(case, _showing(case, case.implementation.credentials.stranger))
    await _is_served(case)


@check(SUBSCRIBER, secure=True)
async def subscriber_serves_on_after_strangers(case: Case) -> None:
    """A subscriber that has turned somebody away takes its peer as before, and dials again if it is who dials."""
    await _turns_away(case, _showing(case, case.implementation.credentials.stranger))
    await _is_served(case)


# --- versions


@check(PUBLISHER, secure=True)
async def publisher_refuses_tls_before_1_2(case: Case) -> None:
    """A publisher has no word of STTP for whoever speaks TLS 1.1 at most."""
    await _turns_away(case, _at_most(case, ssl.TLSVersion.TLSv1_1))


@check(SUBSCRIBER, secure=True)
async def subscriber_refuses_tls_before_1_2(case: Case) -> None:
    """A subscriber has no word of STTP for whoever speaks TLS 1.1 at most."""
    await _turns_away(case, _at_most(case, ssl.TLSVersion.TLSv1_1))


@check(PUBLISHER, secure=True)
async def publisher_speaks_tls_1_2(case: Case) -> None:
    """A publisher serves whoever speaks TLS 1.2 at most, as most in the field do."""
    await _is_served(case, _at_most(case, ssl.TLSVersion.TLSv1_2))


@check(SUBSCRIBER, secure=True)
async def subscriber_speaks_tls_1_2(case: Case) -> None:
    """A subscriber takes a publisher that speaks TLS 1.2 at most, as most in the field do."""
    await _is_served(case, _at_most(case, ssl.TLSVersion.TLSv1_2))


@check(PUBLISHER, secure=True)
async def publisher_prefers_tls_1_3(case: Case) -> None:
    """A publisher speaks TLS 1.3 with whoever speaks it too."""
    await _is_served(case, _at_least(case, ssl.TLSVersion.TLSv1_3))


@check(SUBSCRIBER, secure=True)
async def subscriber_prefers_tls_1_3(case: Case) -> None:
    """A subscriber speaks TLS 1.3 with whoever speaks it too."""
    await _is_served(case, _at_least(case, ssl.TLSVersion.TLSv1_3))


# --- how the suite speaks TLS


def _showing(case: Case, shown: Credential | None) -> ssl.SSLContext:
    """It shows something else than it should, and takes whatever the implementation shows."""
    implementation = case.implementation
    return implementation.credentials.context(server=implementation.dials, own=shown, trusted=None)


def _at_most(case: Case, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = case.implementation.context
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            if version < ssl.TLSVersion.TLSv1_2:
                context.minimum_version = version
                context.set_ciphers("ALL:@SECLEVEL=0")
            context.maximum_version = version
    except (ValueError, ssl.SSLError) as error:
        raise Skip(f"the suite cannot speak {version.name} here: {error}") from None
    return context


def _at_least(case: Case, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = case.implementation.context
    context.minimum_version = version
    return context


# --- what is expected


async def _is_served(case: Case, context: ssl.SSLContext | None = None) -> None:
    """Both prove who they are, and the conversation begins."""
    if case.check.role is Role.PUBLISHER:
        async with case.subscriber(context) as subscriber:
            await subscriber.define_modes()
            await subscriber.fence()
        return
    async with case.publisher(context) as publisher:
        await publisher.accept_modes()
        await publisher.wait_for_subscribe()


async def _turns_away(case: Case, context: ssl.SSLContext) -> None:
    """It ends the connection, and not a byte of STTP comes out of TLS, whatever is said to it."""
    async with _bare(case) as bare:
        stream = SecureStream(bare, context, server=case.implementation.dials)
        try:
            async with asyncio.timeout(case.grace.reply):
                await stream.shake_hands()
                if case.check.role is Role.PUBLISHER:
                    await stream.send([write_command(DefineOperationalModes(modes=TSSC), TSSC)])
        except TransportError:
            return  # the handshake came to nothing, or it has gone already
        except TimeoutError:
            raise Violation("expected that it ends the handshake, but it leaves it open") from None
        said = await _until_its_end(case, stream)
        case.require(not said, "no byte of STTP before it knows the other end", said[:32].hex(" "))


@asynccontextmanager
async def _bare(case: Case) -> AsyncIterator[ByteStream]:
    """A stream below TLS."""
    stream = await case.implementation.connect_bare()
    try:
        yield stream
    finally:
        await stream.close()


async def _received(stream: ByteStream) -> bytes:
    """What comes next; empty at the end."""
    buffer = bytearray(_BUFFER)
    try:
        return bytes(buffer[: await stream.receive_into(buffer)])
    except TransportError:
        return b""


async def _first_bytes(case: Case, stream: ByteStream) -> bytes:
    try:
        async with asyncio.timeout(case.grace.reply):
            return await _received(stream)
    except TimeoutError:
        raise Violation(f"expected a ClientHello, but nothing came within {case.grace.reply:.1f} s") from None


async def _until_its_end(case: Case, stream: ByteStream) -> bytes:
    """All that comes until the implementation ends the connection, in order or not.

    Raises:
        Violation: it does not.
    """
    said = b""
    try:
        async with asyncio.timeout(case.grace.reply):
            while more := await _received(stream):
                said += more
    except TimeoutError:
        spoke = f"; it said {said[:32].hex(' ')}" if said else ""
        raise Violation(
            f"expected that it ends the connection, but it is still open after {case.grace.reply:.1f} s{spoke}"
        ) from None
    return said
