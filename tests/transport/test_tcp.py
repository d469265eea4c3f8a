from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.transport import BACKLOG, EndpointError, TransportError, parse_endpoint, translated
from sttp_tcp import TcpTransport, sttp_transports
from sttp_tcp.address import HostPort, label
from sttp_tcp.stream import TcpStream

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


def test_it_describes_itself() -> None:
    assert isinstance(sttp_transports()["tcp"], TcpTransport)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("hub", "hub", 7165),
        ("hub:1", "hub", 1),
        ("hub.example:65535", "hub.example", 65535),
        ("127.0.0.1:0", "127.0.0.1", 0),
        (":7165", "", 7165),
        (":0", "", 0),
        ("[::]", "::", 7165),
        ("[::1]:7", "::1", 7),
        ("[fe80::1%eth0]:7", "fe80::1%eth0", 7),
        ("bücher.example:7", "bücher.example", 7),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = HostPort.parse(text, default_port=7165)
    assert (address.host, address.port) == (host, port)
    assert HostPort.parse(str(address), default_port=1) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the address is empty"),
        ("hub:", "the port must be a number, not ''"),
        ("hub:http", "the port must be a number, not 'http'"),
        ("hub:-1", "the port must be a number"),
        ("hub:٣", "the port must be a number"),
        ("hub:65536", "the port must lie between 0 and 65535, not 65536"),
        ("hub:" + "9" * 5000, "the port must lie between 0 and 65535"),
        ("hub:7165/path", "the port must be a number, not '7165/path'"),
        ("hub/path", "it contains '/'"),
        ("me@hub", "it contains '@'"),
        ("my hub:1", "it contains ' '"),
        ("hub\0:1", "cannot be a host"),
        ("a..b:1", "cannot be a host name"),
        ("a" * 64 + ":1", "cannot be a host name"),
        ("::1", r"must stand in brackets, as in \[::1\]:7165"),
        ("::1:7165", "must stand in brackets"),
        ("[::1", r"is not host:port or \[ipv6\]:port"),
        ("::1]:7", "must stand in brackets"),
        ("1]:7", r"is not host:port or \[ipv6\]:port"),
        ("[::1]7165", r"is not host:port or \[ipv6\]:port"),
        ("[hub]:7165", r"\[hub\] is not an IPv6 address"),
    ],
)
def test_addresses_that_cannot_be(text: str, complaint: str) -> None:
    with pytest.raises(EndpointError, match=complaint):
        HostPort.parse(text, default_port=7165)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_endpoint_error(text: str) -> None:
    with contextlib.suppress(EndpointError):
        address = HostPort.parse(text, default_port=7165)
        assert 0 <= address.port <= 65535


def test_the_port_of_a_layer_takes_the_place_of_ours() -> None:
    assert TcpTransport().complete("hub") == "hub:7165"
    assert TcpTransport().complete("hub", port=7167) == "hub:7167"
    assert TcpTransport().complete("hub:1", port=7167) == "hub:1"


def test_labels() -> None:
    assert label(("127.0.0.1", 5)) == "127.0.0.1:5"
    assert label(("::1", 5, 0, 0)) == "[::1]:5"
    assert label(("::ffff:10.0.0.1", 5, 0, 0)) == "10.0.0.1:5"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError(errno.ENETUNREACH, "x"), "network unreachable"),
        (OSError(errno.EADDRINUSE, "x"), "choose another or stop it"),
        (OSError(errno.EACCES, "x"), "permission denied"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "host name not found"),
        (OSError(errno.ENOTTY, "Not a typewriter"), "Not a typewriter"),
        (OSError("just text"), "just text"),
        (OSError(), "OSError"),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] a, [Errno {errno.ECONNREFUSED}] b"),
            "doing: connection refused$",
        ),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ENETUNREACH}] a, [Errno {errno.ECONNREFUSED}] b"),
            "network unreachable, connection refused",
        ),
    ],
)
def test_failures_in_plain_words(error: OSError, words: str) -> None:
    with pytest.raises(TransportError, match=rf"^doing: .*{words}" if "doing" not in words else words):
        raise translated(error, "doing")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "ports below 1024 need privileges"), (errno.EADDRINUSE, "choose another port")]
)
async def test_what_is_said_of_ports(number: int, words: str) -> None:
    with (
        patch("socket.create_server", side_effect=OSError(number, "x")),
        pytest.raises(TransportError, match=rf"^cannot listen on 127\.0\.0\.1:7: .*{words}"),
    ):
        await TcpTransport().listen("127.0.0.1:7")


@pytest.mark.parametrize("address", [":7165", "hub:0"])
async def test_what_can_only_be_listened_on_is_not_dialed(address: str) -> None:
    with pytest.raises(EndpointError, match="can be listened on but not dialed"):
        await TcpTransport().dial(address)


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_dial_leaves_no_task(turns: int) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        host, port = full.getsockname()
        with socket.create_connection((host, port)):  # the next one gets no answer
            dialing = asyncio.create_task(TcpTransport().dial(f"{host}:{port}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            dialing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialing
            assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_name_that_nobody_knows() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with patch("socket.getaddrinfo", side_effect=error):
        with pytest.raises(TransportError, match=r"^cannot connect to nobody\.invalid:7165: host name not found$"):
            await TcpTransport().dial("nobody.invalid")
        with pytest.raises(TransportError, match=r"^cannot listen on nobody\.invalid:7165: host name not found$"):
            await TcpTransport().listen("nobody.invalid")


async def test_a_name_with_two_addresses_that_both_refuse() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: it refuses
        port = taken.getsockname()[1]
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
            for host in ("127.0.0.1", "127.0.0.2")
        ]
        with (
            patch("socket.getaddrinfo", return_value=found),
            pytest.raises(TransportError, match=rf"^cannot connect to hub\.invalid:{port}: connection refused$"),
        ):
            await TcpTransport().dial(f"hub.invalid:{port}")


async def test_a_name_is_dialed_at_the_address_that_answers(read) -> None:
    listener = await TcpTransport().listen("127.0.0.1:0")
    port = int(listener.address.rpartition(":")[2])
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
        for host in ("127.0.0.2", "127.0.0.1")
    ]
    with patch("socket.getaddrinfo", return_value=found):
        dialed = await TcpTransport().dial(f"hub.invalid:{port}")
    accepted = await listener.accept()
    assert dialed.peer == listener.address
    await asyncio.gather(dialed.close(), accepted.close())
    await listener.close()


async def test_a_name_with_both_kinds_of_address_is_bound_as_ipv4() -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 0)),
    ]
    with patch("socket.getaddrinfo", return_value=found):
        listener = await TcpTransport().listen("hub.invalid:0")
    assert listener.address.startswith("127.0.0.1:")
    await listener.close()


@needs_ipv6
@pytest.mark.parametrize("address", [":0", "[::]:0"])
async def test_every_interface_is_one_address_for_both_kinds(address: str) -> None:
    listener = await TcpTransport().listen(address)
    host, _, port = listener.address.rpartition(":")
    assert host == "[::]"
    dialed = await TcpTransport().dial(f"127.0.0.1:{port}")
    accepted = await listener.accept()
    assert accepted.peer.startswith("127.0.0.1:")
    await asyncio.gather(dialed.close(), accepted.close())
    await listener.close()


async def test_every_interface_where_there_is_only_ipv4() -> None:
    with patch("socket.has_dualstack_ipv6", return_value=False):
        listener = await TcpTransport().listen(":0")
    assert listener.address.startswith("0.0.0.0:")
    await listener.close()


@needs_ipv6
async def test_ipv6_is_shown_in_brackets() -> None:
    try:
        listener = await TcpTransport().listen("[::1]:0")
    except TransportError:
        pytest.skip("this machine has no IPv6 loopback")
    dialed = await TcpTransport().dial(listener.address)
    accepted = await listener.accept()
    assert dialed.peer == listener.address
    assert accepted.peer.startswith("[::1]:")
    await asyncio.gather(dialed.close(), accepted.close())
    await listener.close()


async def test_the_bound_address_makes_a_url_again() -> None:
    listener = await TcpTransport().listen("127.0.0.1:0")
    assert parse_endpoint(f"tcp://{listener.address}").address == listener.address
    await listener.close()


async def tcp_pair() -> tuple[TcpStream, TcpStream]:
    listener = await TcpTransport().listen("127.0.0.1:0")
    dialed = await TcpTransport().dial(listener.address)
    accepted = await listener.accept()
    await listener.close()
    return dialed, accepted


async def send_without_end(stream: TcpStream) -> None:
    while True:
        await stream.send([b"x"])


async def test_options_of_the_socket() -> None:
    left, right = await tcp_pair()
    for stream in (left, right):
        assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert stream._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            timeout = stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert 20_000 <= timeout <= 30_000
    await asyncio.gather(left.close(), right.close())


async def test_close_gives_up_on_a_peer_that_does_not_close() -> None:
    left, right = await tcp_pair()
    with patch("sttp.transport.sockets._LINGER_S", 0.001):
        await left.close()
    await right.close()


async def test_close_gives_up_on_a_peer_that_does_not_read() -> None:
    left, right = await tcp_pair()
    sending = asyncio.create_task(left.send([bytes(64_000_000)]))
    await asyncio.sleep(0)
    with patch("sttp.transport.sockets._FLUSH_S", 0.001):
        await left.close()
    with pytest.raises(TransportError):
        await sending
    await right.close()


async def test_a_cancelled_close_aborts() -> None:
    left, right = await tcp_pair()
    closing = asyncio.create_task(left.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(TransportError):
        await send_without_end(right)
    await left.close()
    await right.close()


async def test_reading_stops_while_nobody_receives_and_goes_on_after() -> None:
    left, right = await tcp_pair()
    await left.send([b"ahead"])
    while right._transport.is_reading():
        await left.send([])
    assert await right.receive_into(bytearray(2)) == 2
    assert not right._transport.is_reading()
    assert await right.receive_into(bytearray(100)) == 3
    assert right._transport.is_reading()
    await asyncio.gather(left.close(), right.close())


async def test_bytes_go_straight_into_the_buffer_of_a_receiver() -> None:
    left, right = await tcp_pair()
    buffer = bytearray(10)
    receiving = asyncio.create_task(right.receive_into(buffer))
    await asyncio.sleep(0)
    assert right.get_buffer(-1) is buffer
    await left.send([b"straight"])
    assert await receiving == 8
    assert buffer[:8] == b"straight"
    await asyncio.gather(left.close(), right.close())


async def test_connections_that_nobody_accepts_are_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    listener = await TcpTransport().listen("127.0.0.1:0")
    with caplog.at_level(logging.WARNING, "sttp.transport"):
        dialed = [await TcpTransport().dial(listener.address) for _ in range(BACKLOG + 1)]
        with pytest.raises(TransportError):
            await dialed[-1].receive_into(bytearray(1))
    assert "turned away" in caplog.text
    accepted = [await listener.accept() for _ in range(BACKLOG)]
    await asyncio.gather(*(stream.close() for stream in (*dialed, *accepted)))
    await listener.close()


async def test_accepting_survives_a_passing_lack_of_files(caplog: pytest.LogCaptureFixture) -> None:
    """The event loop waits a second before it accepts again, but not here."""
    failures = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ECONNABORTED, "Aborted")]
    real_accept = socket.socket.accept

    def accept(listening: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop(0)
        return real_accept(listening)

    listener = await TcpTransport().listen("127.0.0.1:0")
    with patch.object(socket.socket, "accept", accept), patch("asyncio.constants.ACCEPT_RETRY_DELAY", 0):
        dialed = await TcpTransport().dial(listener.address)
        accepted = await listener.accept()
    assert [record.getMessage().partition("\n")[0] for record in caplog.records] == [
        "socket.accept() out of system resource"
    ]
    await asyncio.gather(dialed.close(), accepted.close())
    await listener.close()
