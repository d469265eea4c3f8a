"""Ends that are killed, or that come late: the other one goes on by itself, in both directions."""

from __future__ import annotations

import socket

import pytest

from running import Running, Start

SIMULATED = ("--simulate", "2@50")
LINES = ("--format", "jsonl")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def streams(subscriber: Running) -> None:
    for _ in range(10):
        assert subscriber.read_line().startswith('{"signal_id": ')


def said(running: Running, text: str) -> None:
    assert running.process.stderr is not None
    while text not in (line := running.process.stderr.readline()):
        assert line, f"it ended without saying {text!r}"


def test_a_reverse_publisher_may_come_before_its_subscriber(start: Start) -> None:
    url = f"reverse+tcp://127.0.0.1:{free_port()}"
    publisher = start("publish", url, *SIMULATED)
    said(publisher, "connection refused; next try in")
    streams(start("subscribe", url, *LINES))


@pytest.mark.parametrize("scheme", ["tcp", "reverse+tcp"])
def test_a_killed_subscriber_is_served_again_on_the_same_port_at_once(start: Start, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    start("publish", url, *SIMULATED)
    for _ in range(2):
        subscriber = start("subscribe", url, *LINES)
        streams(subscriber)
        subscriber.process.kill()
        subscriber.process.wait()


@pytest.mark.parametrize("scheme", ["tcp", "reverse+tcp"])
def test_a_killed_publisher_is_found_again_when_it_is_back(start: Start, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    subscriber = start("subscribe", url, *LINES)
    for _ in range(2):
        publisher = start("publish", url, *SIMULATED)
        streams(subscriber)
        publisher.process.kill()
        publisher.process.wait()
        said(subscriber, "disconnected: ")
