"""TCP on uvloop, where it differs from the loop of asyncio: what that takes in silence, uvloop complains about."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import pytest

from sttp.transport import TransportError
from sttp_tcp import TcpTransport

if sys.platform == "win32":
    pytest.skip("there is no uvloop for Windows", allow_module_level=True)

import uvloop

PATIENCE = 10.0
Scene = Callable[[AsyncExitStack], Coroutine[None, None, None]]


def play(scene: Scene) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            async with AsyncExitStack() as stack:  # left open, something may keep uvloop from ending
                await scene(stack)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(in_time())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_names_and_numbers_can_be_dialed(host: str) -> None:
    async def scene(stack: AsyncExitStack) -> None:
        transport = TcpTransport()
        listener = await transport.listen("127.0.0.1:0")
        stack.push_async_callback(listener.close)
        dialing = await transport.dial(f"{host}:{listener.address.rpartition(':')[2]}")
        accepted = await listener.accept()
        stack.callback(dialing.abort)
        stack.callback(accepted.abort)
        await dialing.send([b"abc"])
        buffer = bytearray(3)
        assert await accepted.receive_into(buffer) == 3
        assert buffer == b"abc"
        await asyncio.gather(dialing.close(), accepted.close())

    play(scene)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_stream_whose_peer_is_gone_can_be_ended(end: str) -> None:
    async def scene(stack: AsyncExitStack) -> None:
        transport = TcpTransport()
        listener = await transport.listen("127.0.0.1:0")
        stack.push_async_callback(listener.close)
        dialing = await transport.dial(listener.address)
        accepted = await listener.accept()
        stack.callback(dialing.abort)
        stack.callback(accepted.abort)
        accepted.abort()
        await dialing._lost.wait()  # so that the handle is closed, whatever the application has noticed
        if end == "abort":
            dialing.abort()
        await dialing.close()
        await accepted.close()

    play(scene)


def test_a_peer_that_never_stops_leaves_others_their_turn() -> None:
    """What it has sent is there already, and may be pushed at once; but others come in between."""

    class Taker:
        def __init__(self) -> None:
            self.calls = 0

        def buffer(self) -> bytearray:
            return bytearray(1000)

        def received(self, count: int, /) -> bool:
            self.calls += 1
            return True

        def ended(self, error: TransportError | None, /) -> None:
            pass

    async def scene(stack: AsyncExitStack) -> None:
        transport = TcpTransport()
        listener = await transport.listen("127.0.0.1:0")
        stack.push_async_callback(listener.close)
        dialing = await transport.dial(listener.address)
        accepted = await listener.accept()
        stack.callback(dialing.abort)
        stack.callback(accepted.abort)
        taker = Taker()
        await dialing.send([bytes(100_000)])
        accepted.push_to(taker)
        before = taker.calls
        most = 0
        while taker.calls < 100:
            await asyncio.sleep(0)
            most, before = max(most, taker.calls - before), taker.calls
        assert most <= 2

    play(scene)
