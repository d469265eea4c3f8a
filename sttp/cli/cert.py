"""`sttp cert`: certificates and trust."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from sttp.cli.options import Debug, SecurityOption
from sttp.cli.terminal import announce, printable
from sttp.errors import SecurityError
from sttp.security import Certificate, Peer, Relaxation, Security, default_folder, read_certificates
from sttp.security.editing import add_authority, add_peer, make_folder, remove_entry

__all__ = ["EXAMPLES", "app", "fingerprint", "forget", "list_trusted", "new", "show", "trust"]

EXAMPLES: Final = """\
\b
Examples:
  sttp cert new substation-12 --host pmu.substation-12.example
  sttp cert show
  sttp cert trust control-centre.crt --name control-centre
"""

DAYS: Final = 825
"""How long a new certificate is valid: a little over two years, so that a yearly renewal comes in time."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def _cert(context: typer.Context, debug: Debug = False) -> None:
    """Make and show certificates, and say whom to trust, for connections with TLS."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A certificate, PEM or DER. Without it, the own one.")
]


@app.command("new", short_help="Make a certificate.")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, such as substation-12.")],
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="A DNS name or IP address under which others dial this end; may be given several times. An end that "
            "only dials needs none.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=7300, help="How long it shall be valid.")] = DAYS,
    security: SecurityOption = None,
    debug: Debug = False,
) -> None:
    """Make a security folder with a new key and a self-signed certificate, which trusts nobody yet.

    The key is on the curve P-256, stays in the folder, and is readable by its owner only.
    """
    folder = security or default_folder()
    certificate = make_folder(folder, name, host or [], days=days)
    announce(
        f"made {folder}: hand {folder / 'own.crt'} to the other party, and tell them its fingerprint by another way"
    )
    print(certificate.fingerprint)


@app.command("show", short_help="Show a certificate.")
def show(file: FileArgument = None, security: SecurityOption = None, debug: Debug = False) -> None:
    """Show a certificate: what it says, its fingerprint, and the text to hand to the other party."""
    for certificate in _certificates(file, security):
        for line in _described(certificate):
            print(printable(line))
        print(certificate.pem, end="")


@app.command("fingerprint", short_help="Show the fingerprint of a certificate.")
def fingerprint(file: FileArgument = None, security: SecurityOption = None, debug: Debug = False) -> None:
    """Show the SHA-256 fingerprint of a certificate, for comparing it over the telephone."""
    for certificate in _certificates(file, security):
        print(certificate.fingerprint)


@app.command("trust", short_help="Trust another party, or an authority.")
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Their certificate, PEM or DER.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What they shall be called here. Without it, the name of the file.")
    ] = "",
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Where they may be dialed, besides what their certificate says; of an authority, which "
            "names may dial, such as *.substations.example. May be given several times.",
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="NET", help="Where they may dial from, such as 10.1.0.0/16; without it, anywhere."),
    ] = None,
    authority: Annotated[
        bool, typer.Option("--authority", help="Trust whoever this authority has issued a certificate to.")
    ] = False,
    revocation: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The authority's revocation list.")
    ] = None,
    allow: Annotated[
        list[Relaxation] | None, typer.Option(help="Relax a check for them; a warning is logged at every use.")
    ] = None,
    security: SecurityOption = None,
    debug: Debug = False,
) -> None:
    """Trust the certificate of another party, exactly this one, or a certificate authority.

    Compare the fingerprint that is shown with the one that they tell you by another way. A file with a private key is
    refused: nobody may have it but its owner.
    """
    folder = security or default_folder()
    name = name or file.stem
    allowed = list(map(str, allow or []))
    if authority:
        if address:
            raise SecurityError("--address is for single parties; an authority vouches for names")
        added = add_authority(folder, name, file, revocation, {"names": host or [], "allow": allowed})
    elif revocation is not None:
        raise SecurityError("--revocation goes with --authority; a single party is forgotten with sttp cert forget")
    else:
        options: dict[str, list[str]] = {"names": host or [], "addresses": address or [], "allow": allowed}
        added = add_peer(folder, name, file, options)
    kind = "whoever this authority vouches for, if the name fits" if authority else "exactly this certificate"
    announce(f"{folder}: {name} is trusted now ({kind}); compare the fingerprint with what they tell you")
    if authority and revocation is None and Relaxation.NO_REVOCATION_LIST not in allowed:
        announce(
            f"nobody gets in through {name} before it has a revocation list: --revocation FILE, or --allow "
            f"{Relaxation.NO_REVOCATION_LIST}"
        )
    for certificate in added:
        print(certificate.fingerprint)


@app.command("forget", short_help="Trust somebody no longer.")
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What they are called here; see sttp cert list.")],
    security: SecurityOption = None,
    debug: Debug = False,
) -> None:
    """Trust a party or an authority no longer. Programs that run disconnect them within a second."""
    folder = security or default_folder()
    announce(f"{folder}: removed {remove_entry(folder, name)}")


@app.command("list", short_help="List who is trusted.")
def list_trusted(security: SecurityOption = None, debug: Debug = False) -> None:
    """List the own certificate and everyone who is trusted: kind, name, fingerprint, how long it is valid, and more."""
    used = Security(security)
    own, known = used.certificate, used.trust
    print(f"own        {printable(own.subject)}  {_line(own)}")
    for peer in known.peers.values():
        found = [known.pinned[pin] for pin in peer.pins]
        for certificate in found:
            print(f"peer       {peer.name}  {_line(certificate)}{_extras(peer)}")
        if not found:
            print(f"peer       {peer.name}  vouched for by {peer.authority}{_extras(peer)}")
    for each in known.authorities.values():
        for certificate in each.certificates:
            allowed = f"; ALLOWED: {', '.join(sorted(each.allow))}" if each.allow else ""
            print(f"authority  {each.name}  {_line(certificate)}; names {', '.join(each.names) or 'none'}{allowed}")


def _certificates(file: Path | None, security: Path | None) -> list[Certificate]:
    return [Security(security).certificate] if file is None else read_certificates(file)


def _described(certificate: Certificate) -> Iterator[str]:
    named = (*certificate.names, *map(str, certificate.addresses))
    yield f"subject      {certificate.subject}"
    yield f"issuer       {'itself' if certificate.is_self_signed else certificate.issuer}"
    yield f"names        {', '.join(named) or 'none: it can dial, and cannot be dialed'}"
    yield f"valid        {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}{_validity(certificate)}"
    yield f"SHA-256      {certificate.fingerprint}"


def _line(certificate: Certificate) -> str:
    return f"{certificate.fingerprint}  valid to {certificate.not_after:%Y-%m-%d}{_validity(certificate)}"


def _validity(certificate: Certificate) -> str:
    now = datetime.now(UTC)
    if now > certificate.not_after:
        return " EXPIRED"
    return " NOT YET VALID" if now < certificate.not_before else ""


def _extras(peer: Peer) -> str:
    parts = {
        "names": ", ".join(peer.names),
        "from": ", ".join(map(str, peer.addresses)),
        "ALLOWED:": ", ".join(sorted(peer.allow)),
    }
    return "".join(f"; {key} {value}" for key, value in parts.items() if value)
