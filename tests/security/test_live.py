"""Trust that changes on a live stream, in both directions; what the layer does between trustworthy and other ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

import ends
from parties import Issuer, Party, trusting_pair
from sttp import Publisher, SecurityError, Subscriber, TrustError
from sttp.metadata import simulated_metadata
from sttp.security import Reason
from sttp.transport import ByteStream, TransportError, load_plugins
from sttp.transport.memory import MemoryTransport, stream_pair
from sttp_tls import TlsLayer
from sttp_tls.handshake import authenticated

METADATA = simulated_metadata(2)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it is about time
        await asyncio.sleep(0.01)


async def read_on(stream: ByteStream) -> None:
    while await stream.receive_into(bytearray(100)):
        pass


@pytest.mark.parametrize("who", ["publisher", "subscriber"])
@pytest.mark.parametrize("direction", ends.DIRECTIONS)
async def test_who_is_no_longer_trusted_is_disconnected_within_a_second_and_back_when_trusted_again(
    direction: str, who: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = trusting_pair(tmp_path)
    async with ends.joined(
        direction,
        METADATA,
        publisher={"security": left.folder},
        subscriber={"security": right.folder},
        scheme="tls",
    ) as (publisher, subscriber):
        await _withdraw_and_restore(publisher, subscriber, left, right, who)
    assert f"[{Reason.TRUST_WITHDRAWN}]" in caplog.text


async def _withdraw_and_restore(
    publisher: Publisher, subscriber: Subscriber, left: Party, right: Party, who: str
) -> None:
    judge, other = (left, right) if who == "publisher" else (right, left)
    async with asyncio.timeout(10):
        await publisher.wait_for_subscription()
        judge.forget(other.name)
        begin = monotonic()
        await until(lambda: not (publisher.statistics.connected or subscriber.statistics.connected))
        assert monotonic() - begin < 1
        judge.trust(other.name, other.issuer)
        await publisher.wait_for_subscription()


async def test_a_change_that_does_not_concern_a_peer_leaves_it_alone(tmp_path: Path) -> None:
    left, right = trusting_pair(tmp_path)
    security = left.security
    async with (
        Publisher("tls://127.0.0.1:0", metadata=METADATA, security=security) as publisher,
        Subscriber(publisher.listening[0], security=right.folder) as subscriber,
        asyncio.timeout(10),
    ):
        await publisher.wait_for_subscription()
        before = security.trust
        left.trust("else", Issuer("else"))
        await until(lambda: security.trust is not before)
        assert subscriber.statistics.connections == publisher.statistics.connections == 1
        assert publisher.statistics.subscriptions == 1


async def test_without_a_security_folder_an_endpoint_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STTP_SECURITY", str(tmp_path / "none"))
    with pytest.raises(SecurityError, match="sttp cert new"):
        Publisher("tcp://127.0.0.1:0", "tls://127.0.0.1:0", metadata=METADATA)
    with pytest.raises(SecurityError, match="sttp cert new"):
        Subscriber("tls://127.0.0.1:1")
    Subscriber("tcp://127.0.0.1:1")


async def test_a_relaxation_is_logged_at_each_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left, right = Party(tmp_path, "left", Issuer("left", ["127.0.0.1"], age=9, days=8)), Party(tmp_path, "right")
    left.trust("right", right.issuer)
    right.trust("left", left.issuer, 'allow = ["expired"]')
    layer = load_plugins().transports["tcp"]
    listener = await TlsLayer(left.security).over(layer).listen("127.0.0.1:0")
    for _ in range(2):
        dialed = await TlsLayer(right.security).over(layer).dial(listener.address)
        await (await listener.accept()).close()
        await dialed.close()
    await listener.close()
    assert caplog.text.count("RELAXED: the certificate CN=left") == 2


async def _pair(tmp_path: Path) -> tuple[ByteStream, ByteStream, ByteStream, ByteStream]:
    """Both ends of a connection over memory, and what lies below each."""
    left, right = trusting_pair(tmp_path)
    one, other = stream_pair(peers=("somewhere", "somewhere"))
    secured = await asyncio.gather(
        authenticated(one, left.security, dialed=True), authenticated(other, right.security, dialed=False)
    )
    return (*secured, one, other)


async def test_each_end_knows_the_other_by_the_name_in_its_own_configuration(tmp_path: Path) -> None:
    dialed, accepted, _, _ = await _pair(tmp_path)
    assert dialed.identity is not None
    assert accepted.identity is not None
    assert (dialed.identity.name, accepted.identity.name) == ("right", "left")
    assert len(dialed.identity.fingerprint) == 95
    await asyncio.gather(dialed.close(), accepted.close())


async def test_an_end_without_tls_goodbye_is_not_an_end_in_order(tmp_path: Path) -> None:
    dialed, accepted, _, below = await _pair(tmp_path)
    await accepted.send([b"half of it"])
    assert await dialed.receive_into(bytearray(100)) == 10
    await below.close()
    with pytest.raises(TransportError, match="cut without the goodbye of TLS"):
        await dialed.receive_into(bytearray(1))
    await asyncio.gather(dialed.close(), accepted.close())


async def test_a_cut_before_the_first_word_reads_as_a_refusal(tmp_path: Path) -> None:
    dialed, accepted, _, below = await _pair(tmp_path)
    await below.close()
    with pytest.raises(TrustError, match="most likely it does not accept our certificate") as caught:
        await dialed.receive_into(bytearray(1))
    assert caught.value.code == Reason.REFUSED_CERTIFICATE
    await asyncio.gather(dialed.close(), accepted.close())


async def test_a_record_that_was_changed_on_the_way_breaks_the_stream(tmp_path: Path) -> None:
    left, right = trusting_pair(tmp_path)
    one, other = stream_pair(peers=("somewhere", "somewhere"))
    changing = _Changing(other)
    dialed, accepted = await asyncio.gather(
        authenticated(one, left.security, dialed=True), authenticated(changing, right.security, dialed=False)
    )
    await accepted.send([b"one"])
    assert await dialed.receive_into(bytearray(3)) == 3
    changing.on = True
    await accepted.send([b"two"])
    with pytest.raises(TransportError, match="decryption failed or bad record mac"):
        await dialed.receive_into(bytearray(3))
    await asyncio.gather(dialed.close(), accepted.close())


class _Changing:
    """A stream that changes the last byte of what is sent, once it is told to."""

    def __init__(self, inner: ByteStream) -> None:
        self._inner = inner
        self.on = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def send(self, buffers: list[bytes]) -> None:
        data = bytearray(b"".join(buffers))
        if self.on:
            data[-1] ^= 1
        await self._inner.send([data])


@pytest.mark.parametrize("nonsense", [b"\x00\x00\x00\x05\x06\x02\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(300)])
async def test_who_does_not_speak_tls_is_told_apart(
    tmp_path: Path, nonsense: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    left, _ = trusting_pair(tmp_path)
    memory = MemoryTransport()
    listener = await TlsLayer(left.security).over(memory).listen("somewhere")
    stranger = await memory.dial("somewhere")
    await stranger.send([nonsense])
    heard = bytearray(1000)
    while await stranger.receive_into(heard):
        pass
    assert f"[{Reason.NOT_TLS}]" in caplog.text
    await listener.close()
    await stranger.close()


async def test_handshakes_do_not_wait_for_each_other_and_end_with_their_listener(tmp_path: Path) -> None:
    left, right = trusting_pair(tmp_path)
    memory = MemoryTransport()
    listener = await TlsLayer(left.security).over(memory).listen("somewhere")
    silent = [await memory.dial("somewhere") for _ in range(5)]
    dialed = await TlsLayer(right.security).over(memory).dial("somewhere")
    accepted = await listener.accept()
    await listener.close()
    for each in silent:
        with pytest.raises(TransportError):
            await read_on(each)
    await asyncio.gather(dialed.close(), accepted.close())
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_dialing_a_listener_that_never_answers_can_be_cancelled(tmp_path: Path) -> None:
    _, right = trusting_pair(tmp_path)
    memory = MemoryTransport()
    listener = await memory.listen("somewhere")
    dialing = asyncio.create_task(TlsLayer(right.security).over(memory).dial("somewhere"))
    accepted = await listener.accept()
    await accepted.receive_into(bytearray(1))
    dialing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialing
    with pytest.raises(TransportError):
        await read_on(accepted)
    await listener.close()


async def test_another_peers_certificate_makes_one_that_other_peer_and_nobody_else(tmp_path: Path) -> None:
    us, one, two = Party(tmp_path, "us"), Party(tmp_path, "one"), Party(tmp_path, "two")
    us.trust("one", one.issuer)
    us.trust("two", two.issuer)
    for each in (one, two):
        each.trust("us", us.issuer)
    memory = MemoryTransport()
    listener = await TlsLayer(us.security).over(memory).listen("somewhere")
    for each in (one, two):
        dialed = await TlsLayer(each.security).over(memory).dial("somewhere")
        accepted = await listener.accept()
        assert accepted.identity is not None
        assert accepted.identity.name == each.name
        await asyncio.gather(dialed.close(), accepted.close())
    (two.folder / "own.crt").write_text(one.issuer.pem, encoding="ascii")  # without its key
    with pytest.raises(SecurityError, match="cannot be used together"):
        assert two.security
    await listener.close()
