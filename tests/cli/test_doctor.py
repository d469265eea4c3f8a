"""`sttp doctor`: each step, in both directions, and what it says of each fault."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from parties import HERE, Issuer, Party, trusting_pair
from sttp import Publisher, Subscriber, TrustError
from sttp.cli import doctor as module
from sttp.cli.doctor import ADVICE, _examine
from sttp.errors import STTPError
from sttp.metadata import simulated_metadata
from sttp.security import Reason
from sttp.transport import RedialPolicy

METADATA = simulated_metadata(2)
SOON = RedialPolicy(base=0.05, cap=0.1)


async def examined(
    capsys: pytest.CaptureFixture[str], url: str, party: Party | None, *, listen: bool = False, seconds: float = 5
) -> tuple[bool, str]:
    """Whether all is well, and what was said."""
    try:
        await _examine(url, listen, seconds, None if party is None else party.folder)
    except module._FailedError:
        well = False
    else:
        well = True
    return well, capsys.readouterr().out


async def test_a_forward_connection_that_works_is_told_step_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = trusting_pair(tmp_path)
    async with Publisher("tls://127.0.0.1:0", metadata=METADATA, security=left.folder) as publisher:
        well, said = await examined(capsys, publisher.listening[0], right)
    assert well, said
    steps = [line[6:22].strip() for line in said.splitlines()]
    assert [step for at, step in enumerate(steps) if step not in steps[:at]] == [
        "URL", "role", "own certificate", "trust", "reach", "connection", "handshake", "identity", "first words",
    ]  # fmt: skip
    assert "by TLSv1.3" in said
    assert "left: CN=left, pinned" in said
    assert "the publisher answers: SUCCEEDED" in said


async def test_a_reverse_connection_that_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right = trusting_pair(tmp_path)
    async with Subscriber("reverse+tls://127.0.0.1:0", security=right.folder) as subscriber:
        well, said = await examined(capsys, subscriber.listening or "", left)
    assert well, said
    assert "this end is the publisher, and dials" in said
    assert "the subscriber defines its operational modes" in said


async def test_plain_tcp_needs_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    async with Publisher("tcp://127.0.0.1:0", metadata=METADATA) as publisher:
        well, said = await examined(capsys, publisher.listening[0], None)
    assert well, said
    assert "certificate" not in said


async def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("listens", ["publisher", "subscriber"])
async def test_the_listening_end_says_of_everyone_how_it_went(
    listens: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = trusting_pair(tmp_path)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(module, "listening", lambda urls: found.set_result(next(iter(urls))))
    url = "tls://127.0.0.1:0" if listens == "publisher" else "reverse+tls://127.0.0.1:0"
    examining = asyncio.create_task(examined(capsys, url, left, listen=True))
    bound = await found
    other = (
        Subscriber(bound, security=right.folder, redial=SOON)
        if listens == "publisher"
        else Publisher(bound, metadata=METADATA, security=right.folder, redial=SOON)
    )
    async with other:
        well, said = await examining
    assert well, said
    assert "right: CN=right, pinned" in said


async def test_the_listening_end_names_those_who_did_not_come_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = trusting_pair(tmp_path)
    left.forget("right")
    left.trust("else", Issuer("else"))
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(module, "listening", lambda urls: found.set_result(next(iter(urls))))
    examining = asyncio.create_task(examined(capsys, "tls://127.0.0.1:0", left, listen=True, seconds=0.7))
    async with Subscriber(await found, security=right.folder):
        well, said = await examining
    assert not well
    assert "[unknown-certificate]" in said
    assert f"SHA-256 {right.certificate.fingerprint}" in said
    assert ADVICE[Reason.UNKNOWN_CERTIFICATE] in said


@pytest.mark.parametrize(
    ("fault", "step", "code"),
    [
        ("we do not know them", "handshake", Reason.UNKNOWN_CERTIFICATE),
        ("they do not know us", "first words", Reason.REFUSED_UNKNOWN_CERTIFICATE),
        ("wrong name", "handshake", Reason.NAME_MISMATCH),
        ("not TLS", "handshake", Reason.HANDSHAKE_FAILED),
    ],
)
async def test_a_fault_is_told_with_its_code_and_what_to_do(
    fault: str, step: str, code: Reason, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = ["elsewhere.example"] if fault == "wrong name" else HERE
    left, right = Party(tmp_path, "left", Issuer("left", hosts)), Party(tmp_path, "right")
    stranger = Issuer("stranger")
    left.trust("right", stranger if fault == "they do not know us" else right.issuer)
    right.trust("left", stranger if fault == "we do not know them" else left.issuer)
    scheme = "tcp" if fault == "not TLS" else "tls"
    async with Publisher(f"{scheme}://127.0.0.1:0", metadata=METADATA, security=left.folder) as publisher:
        well, said = await examined(capsys, publisher.listening[0].replace("tcp", "tls"), right)
    assert not well
    (failed,) = [line for line in said.splitlines() if line.startswith("FAIL")]
    assert failed[6:22].strip() == step
    assert f"[{code}]" in failed
    assert ADVICE[code] in said


async def test_nobody_there_and_nobody_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right = trusting_pair(tmp_path)
    port = await _free_port()
    well, said = await examined(capsys, f"tls://127.0.0.1:{port}", left)
    assert not well
    assert "connection refused" in said
    assert "reverse+ at both ends" in said
    right.forget("left")
    well, said = await examined(capsys, f"tls://127.0.0.1:{port}", right)
    assert not well
    assert "trusts nobody" in said


async def test_who_closes_without_a_word_and_who_says_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async def something(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    for answer, words in ((nothing, "without a word"), (something, "this is no publisher of STTP")):
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            well, said = await examined(capsys, f"tcp://127.0.0.1:{port}", None)
            assert not well
            assert words in said


def test_there_is_advice_for_every_reason_that_a_dialer_can_meet() -> None:
    met_by_listeners_alone = {
        Reason.BAD_CERTIFICATE, Reason.TRUST_WITHDRAWN, Reason.NOT_PERMITTED,
        Reason.CROWDED_OUT, Reason.TOO_FAST, Reason.TOO_MANY_CONNECTIONS, Reason.SHUT_OUT,
    }  # fmt: skip
    assert set(ADVICE) == set(Reason) - met_by_listeners_alone
    assert issubclass(TrustError, STTPError)
