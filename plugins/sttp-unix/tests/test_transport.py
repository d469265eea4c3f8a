"""The transport keeps every promise of the contract, and STTP runs over it in both directions."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from sttp.testing.transport import Requirements, TransportKit
from sttp.transport import EndpointError, PeerIdentity, TransportError, load_plugins
from sttp_unix import UnixTransport
from sttp_unix.stream import identity_of

MYSELF = identity_of(os.getuid()) if hasattr(socket, "SO_PEERCRED") else None

REQUIREMENTS = Requirements(
    abort_is_told="the kernel shows an aborted Unix socket as one that has ended in order, unless bytes were unread"
)


class TestUnix(TransportKit):
    url = "unix://{folder}/sttp.sock"
    requirements = REQUIREMENTS
    dialer = listener = MYSELF


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="names that are no files are there on Linux only")
class TestAbstract(TransportKit):
    url = f"unix://@sttp-kit-{os.getpid()}"
    connects = 50
    requirements = REQUIREMENTS
    dialer = listener = MYSELF


def test_it_is_installed() -> None:
    assert isinstance(load_plugins().transports["unix"], UnixTransport)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("", "is empty"), ("@", "is empty"), ("a\0b", "zero character"), ("/" + "x" * 103, "104 bytes long")],
)
def test_addresses_that_cannot_be(address: str, complaint: str) -> None:
    with pytest.raises(EndpointError, match=complaint):
        UnixTransport().complete(address)


def test_who_is_there(tmp_path: Path) -> None:
    async def meet() -> tuple[str, str]:
        listener = await UnixTransport().listen(str(tmp_path / "s"))
        dialed, accepted = await UnixTransport().dial(listener.address), await listener.accept()
        await asyncio.gather(dialed.close(), accepted.close(), listener.close())
        return dialed.peer, accepted.peer

    assert asyncio.run(meet()) == (str(tmp_path / "s"), f"process {os.getpid()}" if MYSELF else "unknown process")


def test_a_user_without_a_name_is_a_number() -> None:
    assert identity_of(2**31 - 7) == PeerIdentity(name="uid 2147483641", subject="uid 2147483641")
    assert identity_of(0) == PeerIdentity(name="root", subject="uid 0")


def test_a_socket_that_a_crashed_listener_left_is_replaced(tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(left))

    async def listen() -> None:
        await (await UnixTransport().listen(str(left))).close()

    asyncio.run(listen())
    assert not left.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")

    async def listen() -> None:
        await UnixTransport().listen(str(file))

    with pytest.raises(TransportError, match="there is a file of that name"):
        asyncio.run(listen())
    assert file.read_text() == "precious"


def test_closing_a_listener_removes_its_own_socket_only(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def replaced() -> None:
        first = await UnixTransport().listen(str(path))
        path.unlink()
        second = await UnixTransport().listen(str(path))
        await first.close()
        assert path.exists()
        await second.close()
        assert not path.exists()

    asyncio.run(replaced())


@pytest.mark.parametrize("verb", ["dial", "listen"])
def test_what_is_not_there_is_said_in_plain_words(tmp_path: Path, verb: str) -> None:
    async def act() -> None:
        await getattr(UnixTransport(), verb)(str(tmp_path / "no" / "socket"))

    with pytest.raises(TransportError, match="cannot .* no such"):
        asyncio.run(act())
