"""Making a security folder, and adding parties to one. What people have written in `trust.toml` stays as it is."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sttp.errors import SecurityError
from sttp.security.certificates import Certificate, new_certificate, read_certificates, write_private
from sttp.security.folder import TRUST_FILE, read_folder

__all__ = ["add_authority", "add_peer", "make_folder", "remove_entry"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")

_FIRST_LINES: Final = """\
# Who this end is, and whom it trusts. Written by `sttp cert`, and yours to edit; a running program follows changes.
# What may stand here is told in the reference, on the page about TLS.

[own]
certificate = "own.crt"           # hand this file to the other party
key = "own.key"                   # never hand this one to anybody
minimum_tls = "1.2"
"""


def make_folder(folder: Path, name: str, hosts: list[str], *, days: int) -> Certificate:
    """Make a security folder with a new self-signed certificate that trusts nobody yet.

    Args:
        folder: where; made with its parents if need be, and readable by its owner only.
        name: see `new_certificate`.
        hosts: see `new_certificate`.
        days: see `new_certificate`.

    Raises:
        SecurityError: there is one already, or it cannot be written.
    """
    if (folder / TRUST_FILE).exists():
        raise SecurityError(
            f"{folder} is a security folder already. Others trust the certificate in it, so it is not replaced: to "
            "change it, make another folder, let the others trust both for a while, then switch"
        )
    certificate, key = new_certificate(name, hosts, days=days)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(folder / "own.key", key)
        _write(folder / "own.crt", certificate)
        _write(folder / TRUST_FILE, _FIRST_LINES)
    except OSError as error:
        raise SecurityError(f"{folder}: {error.strerror or error}") from None
    return read_certificates(folder / "own.crt")[0]


def add_peer(folder: Path, name: str, file: Path, options: Mapping[str, Iterable[str]] = {}) -> list[Certificate]:
    """Pin the certificates of another party.

    Args:
        folder: a security folder.
        name: what the party shall be called.
        file: its certificate; copied into the folder.
        options: lists for its entry, such as `names` and `allow`; empty ones are left out.

    Returns:
        The certificates.

    Raises:
        SecurityError: the name is taken or cannot be one, the file holds a private key, or the result would not be
            a folder that can be used. Nothing is changed then.
    """
    return _add(folder, "peers", name, file, options)


def add_authority(
    folder: Path, name: str, file: Path, revocation: Path | None, options: Mapping[str, Iterable[str]] = {}
) -> list[Certificate]:
    """Trust whoever an authority has issued a certificate to, if the name fits.

    Args:
        folder: a security folder.
        name: what the authority shall be called.
        file: its certificates.
        revocation: its revocation list.
        options: see `add_peer`.

    Raises:
        SecurityError: see `add_peer`.
    """
    return _add(folder, "authorities", name, file, options, revocation)


def remove_entry(folder: Path, name: str) -> str:
    """Trust a peer or an authority no more. Its files stay.

    Returns:
        What was removed, such as `peers.hub`.

    Raises:
        SecurityError: there is no such entry.
    """
    trust_file = folder / TRUST_FILE
    trust = read_folder(folder).trust
    kind = "peers" if name in trust.peers else "authorities" if name in trust.authorities else None
    if kind is None:
        known = ", ".join(sorted((*trust.peers, *trust.authorities))) or "nobody"
        raise SecurityError(f"{trust_file}: there is no {name!r}; trusted are {known}")
    text = trust_file.read_text(encoding="utf-8")
    entry = re.compile(rf"^\[{kind}\.\"?{re.escape(name)}\"?\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
    rest, count = entry.subn("", text)
    if count != 1:
        raise SecurityError(
            f"{trust_file}: [{kind}.{name}] is written in a way that only its author can edit; do it there"
        )
    _replace(folder, rest)
    return f"{kind}.{name}"


def _add(
    folder: Path,
    kind: str,
    name: str,
    file: Path,
    options: Mapping[str, Iterable[str]],
    revocation: Path | None = None,
) -> list[Certificate]:
    if not _NAME.fullmatch(name):
        raise SecurityError(f"{name!r} cannot be a name here: letters, digits, - and _ only")
    trust = read_folder(folder).trust
    if name in trust.peers or name in trust.authorities:
        raise SecurityError(
            f"{folder / TRUST_FILE}: there is a {name!r} already; choose another name, or edit the file"
        )
    certificates = read_certificates(file)
    lines = [f"[{kind}.{name}]", f'certificate = "{kind}/{name}.crt"']
    (folder / kind).mkdir(exist_ok=True, mode=0o700)
    written = [folder / kind / f"{name}.crt"]
    _write(written[0], "".join(each.pem for each in certificates))
    if revocation is not None:
        written.append(folder / kind / f"{name}.crl")
        written[-1].write_bytes(revocation.read_bytes())
        lines.append(f'revocation = "{kind}/{name}.crl"')
    lines += [f"{key} = {json.dumps(listed)}" for key, values in options.items() if (listed := list(values))]
    before = (folder / TRUST_FILE).read_text(encoding="utf-8")
    _replace(folder, "\n".join((before.rstrip("\n"), "", *lines, "")))
    try:
        read_folder(folder)
    except SecurityError:
        _replace(folder, before)
        for each in written:
            each.unlink()
        raise
    return certificates


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _replace(folder: Path, text: str) -> None:
    """Put another trust file in place of the one that is there, in one step: a running program reads it meanwhile."""
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, folder / TRUST_FILE)
