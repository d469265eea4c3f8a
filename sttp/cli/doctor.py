"""`sttp doctor`: what of a connection works and what does not, step by step, and which end has to change what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from sttp.cli.options import Debug, SecurityOption
from sttp.cli.run import run
from sttp.cli.terminal import listening, printable
from sttp.codes import Command, OperationalModes, Response, Role
from sttp.errors import STTPError, TransportError, TrustError
from sttp.security import Reason, Security
from sttp.transport import ByteStream, Endpoint, Transport, open_transport, parse_endpoint, security_for
from sttp.wire.commands import DefineOperationalModes, write_command

__all__ = ["ADVICE", "EXAMPLES", "doctor"]

EXAMPLES: Final = """\
\b
Examples:
  sttp doctor tls://substation-12.example:7167 --security hub
  sttp doctor reverse+tls://:7167 --listen --security hub
"""

SOON: Final = timedelta(days=30)
"""A certificate that expires within this time is worth a word."""

ADVICE: Final = {
    Reason.UNKNOWN_CERTIFICATE: "HERE: compare the fingerprint above with the other party, then sttp cert trust FILE",
    Reason.ISSUER_NOT_AUTHORITY: "THERE: use a certificate that is self-signed, or issued by a real authority",
    Reason.EXPIRED_CERTIFICATE: "THERE: make a new certificate and hand it over; or correct the clock HERE",
    Reason.FUTURE_CERTIFICATE: "BOTH: compare the clocks",
    Reason.NAME_MISMATCH: "HERE: dial a name that is in their certificate, or list the one you dial in `names`",
    Reason.REVOKED_CERTIFICATE: "THERE: get a new certificate from the authority",
    Reason.REVOCATION_UNKNOWN: "HERE: fetch the authority's revocation list",
    Reason.NO_CERTIFICATE: "THERE: configure a certificate",
    Reason.WEAK_CERTIFICATE: "THERE: make a certificate with a longer key and a newer digest",
    Reason.WRONG_PURPOSE: "THERE: make a certificate for servers and clients both",
    Reason.TLS_VERSION: "THERE: enable TLS 1.2 or newer",
    Reason.NOT_TLS: "BOTH: use the same scheme, tls:// or tcp://",
    Reason.HANDSHAKE_FAILED: "BOTH: use the same scheme, tls:// or tcp://. THERE: has it room? See its log",
    Reason.HANDSHAKE_TIMEOUT: "THERE: it is silent; does it speak TLS, and has it room?",
    Reason.REFUSED_CERTIFICATE: "THERE: their log says why they refuse our certificate",
    Reason.REFUSED_UNKNOWN_CERTIFICATE: "THERE: they must trust our certificate (sttp cert show prints it)",
    Reason.REFUSED_EXPIRED_CERTIFICATE: "HERE: make a new certificate and hand it over; or correct the clock THERE",
    Reason.REFUSED_REVOKED_CERTIFICATE: "HERE: get a new certificate from the authority",
    Reason.REFUSED_NO_CERTIFICATE: "HERE: configure a certificate",
    Reason.REFUSED_TLS_VERSION: "BOTH: agree on a version of TLS; see minimum_tls",
    Reason.REFUSED_HANDSHAKE: "BOTH: compare versions and kinds of certificates",
}
"""What to do about a reason code, and at which end."""


class _FailedError(STTPError):
    """Something does not work; it has been said."""


def doctor(
    url: Annotated[str, typer.Argument(metavar="URL", help="The endpoint, as it is given to the command that fails.")],
    listen: Annotated[
        bool, typer.Option("--listen", help="Be the end that listens, and say of everyone who dials how it goes.")
    ] = False,
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="How long to wait for the other end.")] = 10.0,
    security: SecurityOption = None,
    debug: Debug = False,
) -> None:
    """Say step by step what of a connection works and what does not, why, and which end has to change what.

    Without --listen it dials the publisher of a forward connection, or the subscriber of a reverse one. It exchanges
    the first words of STTP, subscribes to nothing and changes nothing. It exits with 1 when something does not work.
    """
    run(_examine(url, listen, seconds, security))


async def _examine(url: str, listen: bool, seconds: float, folder: Path | None) -> None:
    endpoint = parse_endpoint(url)
    _say("ok", "URL", f"{endpoint.model}, {'+'.join((*endpoint.layers, endpoint.scheme))}, at {endpoint.address}")
    forward = endpoint.model == "forward"
    role = Role.PUBLISHER if forward == listen else Role.SUBSCRIBER
    _say("ok", "role", f"this end is the {role.value}, and {'listens' if listen else 'dials'}")
    security = security_for([endpoint], folder)
    if security is not None:
        _examine_folder(security)
    transport = open_transport(endpoint, security=security)
    if listen:
        await _listen(endpoint, transport, role, seconds)
    else:
        await _dial(endpoint, transport, role, seconds)


def _examine_folder(security: Security) -> None:
    own, trust = security.certificate, security.trust
    now = datetime.now(UTC)
    named = ", ".join((*own.names, *map(str, own.addresses))) or "no host"
    _say("ok", "own certificate", f"{own.subject}, names {named}, SHA-256 {own.fingerprint}")
    if not own.not_before <= now <= own.not_after:
        _fail("own certificate", f"it is valid from {own.not_before:%Y-%m-%d} to {own.not_after:%Y-%m-%d}",
              "HERE: make a new one in another folder and hand it over; or correct the clock")  # fmt: skip
    if own.not_after - now < SOON:
        _say("note", "own certificate", f"it expires on {own.not_after:%Y-%m-%d}")
    if not trust.peers and not trust.authorities:
        _fail(
            "trust",
            f"{security.folder} trusts nobody",
            "HERE: sttp cert trust FILE, with the other party's certificate",
        )
    _say(
        "ok", "trust", f"peers {', '.join(trust.peers) or 'none'}; authorities {', '.join(trust.authorities) or 'none'}"
    )


async def _dial(endpoint: Endpoint, transport: Transport, role: Role, seconds: float) -> None:
    if endpoint.layers:
        await _reach(endpoint, seconds)
    async with _overheard() as heard:
        try:
            async with asyncio.timeout(seconds):
                stream = await transport.dial(endpoint.address)
        except TimeoutError:
            _fail("handshake" if endpoint.layers else "connection", f"no answer within {seconds:g} s", _FIREWALL)
        except TransportError as error:
            _fail("handshake" if endpoint.layers else "connection", str(error), _advice(error))
    _say("ok", "connection", f"to {stream.peer}")
    _tell(stream, heard)
    await _exchange(stream, role, seconds)


async def _reach(endpoint: Endpoint, seconds: float) -> None:
    """Whether the place can be reached at all, without the layers."""
    plain = parse_endpoint(f"{endpoint.scheme}://{endpoint.address}")
    try:
        async with asyncio.timeout(seconds):
            stream = await open_transport(plain).dial(plain.address)
    except TimeoutError:
        _fail("reach", f"no answer from {endpoint.address} within {seconds:g} s", _FIREWALL)
    except TransportError as error:
        _fail("reach", str(error), _FIREWALL)
    _say("ok", "reach", f"{endpoint.address} answers, at {stream.peer}")
    stream.abort()


async def _listen(endpoint: Endpoint, transport: Transport, role: Role, seconds: float) -> None:
    try:
        listener = await transport.listen(endpoint.address)
    except TransportError as error:
        _fail("listen", str(error), "HERE: see above")
    listening([endpoint.at(listener.address)])
    try:
        async with _overheard(aloud=True) as heard:
            try:
                async with asyncio.timeout(seconds):
                    stream = await listener.accept()
            except TimeoutError:
                codes = [code for line in heard if (code := _code_in(line)) is not None]
                if codes:
                    _fail("connection", f"nobody came through within {seconds:g} s", ADVICE.get(codes[-1], "see above"))
                _fail("connection", f"nobody dialed within {seconds:g} s", _FIREWALL)
        _say("ok", "connection", f"from {stream.peer}")
        _tell(stream, [])
        await _exchange(stream, role, seconds)
    finally:
        await listener.close()


async def _exchange(stream: ByteStream, role: Role, seconds: float) -> None:
    """The first words: a subscriber defines its modes, and a publisher answers them (wire.md 3)."""
    buffer = bytearray(4096)
    try:
        async with asyncio.timeout(seconds):
            if role is Role.SUBSCRIBER:
                await stream.send([write_command(DefineOperationalModes(modes=OperationalModes()), OperationalModes())])
            count = await stream.receive_into(buffer)
    except TimeoutError:
        _fail("first words", f"the other end said nothing within {seconds:g} s", _SILENT[role])
    except TransportError as error:
        _fail("first words", str(error), _advice(error))
    finally:
        await stream.close()
    if not count:
        _fail("first words", "the other end closed the connection in order, without a word", _SILENT[role])
    first = buffer[4] if count > 4 else -1
    if role is Role.SUBSCRIBER and first in set(Response):
        _say("ok", "first words", f"the publisher answers: {Response(first).name}")
    elif role is Role.PUBLISHER and first == Command.DEFINE_OPERATIONAL_MODES:
        _say("ok", "first words", "the subscriber defines its operational modes")
    else:
        _fail("first words", f"this is no {role.other.value} of STTP: {bytes(buffer[: min(count, 16)])!r}", _WRONG_ROLE)


_FIREWALL: Final = (
    "THERE: does it run, and listen at this address? BOTH: is there a firewall between? Where it lets nobody in, use "
    "reverse+ at both ends"
)
_SILENT: Final = {
    Role.SUBSCRIBER: "THERE: is it a publisher, has it room, and does it take our certificate? See its log",
    Role.PUBLISHER: "THERE: is it a subscriber, may we publish to it, and has it a publisher already? See its log",
}
_WRONG_ROLE: Final = "BOTH: use the same scheme, and reverse+ at both ends or at none"


@asynccontextmanager
async def _overheard(*, aloud: bool = False) -> AsyncIterator[list[str]]:
    """What the log of trust says meanwhile."""
    heard: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())
            if aloud:
                _say("tried", "connection", heard[-1])

    log = logging.getLogger("sttp.security")
    handler, propagate, level = Listening(), log.propagate, log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield heard
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
        log.setLevel(level)


def _tell(stream: ByteStream, heard: list[str]) -> None:
    for line in heard:
        _say("note" if "RELAXED" in line or "only TLS" in line else "ok", "handshake", line)
    if stream.identity is not None:
        known = stream.identity
        by = f"vouched for by {known.authority}" if known.authority else "pinned"
        _say("ok", "identity", f"{known.name}: {known.subject}, {by}, SHA-256 {known.fingerprint}")


def _code_in(line: str) -> Reason | None:
    return next((code for code in Reason if f"[{code}]" in line), None)


def _advice(error: TransportError) -> str:
    return (
        ADVICE.get(Reason(error.code), "see the log of the other end") if isinstance(error, TrustError) else _FIREWALL
    )


def _say(verdict: str, step: str, text: str) -> None:
    print(printable(f"{verdict:5} {step:16} {text}"), flush=True)


def _fail(step: str, text: str, advice: str) -> NoReturn:
    _say("FAIL", step, text)
    _say("", "what to do", advice)
    raise _FailedError(f"{step}: it does not work")
