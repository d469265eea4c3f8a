"""Logs for programs: JSON lines, stable codes, and an audit log that has whoever came."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ends
from parties import Issuer, trusting_pair
from sttp import Publisher, Subscriber
from sttp.cli.json_log import AUDIT, as_json, audit_to
from sttp.metadata import simulated_metadata

METADATA = simulated_metadata(2)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is about time
            await asyncio.sleep(0.01)


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("sttp.x", logging.WARNING, "file", 1, message, arguments, None)
    vars(made).update(extra)
    return made


def test_a_line_has_time_level_logger_message_peer_and_code() -> None:
    said = json.loads(as_json(record("%s: no connection: it has expired [expired-certificate]", "192.0.2.1:7165")))
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "warning",
        "logger": "sttp.x",
        "message": "192.0.2.1:7165: no connection: it has expired [expired-certificate]",
        "peer": "192.0.2.1:7165",
        "code": "expired-certificate",
    }


def test_what_a_peer_says_cannot_break_a_line_or_invent_a_code() -> None:
    line = as_json(record("%s", 'a "\n\u2028 [no-such-code] \x1b[31m'))
    assert "\n" not in line
    assert line.isascii()
    assert "code" not in json.loads(line)


@pytest.fixture
def audit_file(tmp_path: Path) -> Iterator[Path]:
    log = logging.getLogger(AUDIT)
    before, level = list(log.handlers), log.level
    log.setLevel(logging.INFO)
    audit_to(tmp_path / "audit.jsonl")
    yield tmp_path / "audit.jsonl"
    for handler in set(log.handlers) - set(before):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(level)


def events(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("direction", ends.DIRECTIONS)
async def test_the_audit_log_tells_who_came_as_whom_with_which_rights_and_how_it_ended(
    direction: str, tmp_path: Path, audit_file: Path
) -> None:
    left, right = trusting_pair(tmp_path)
    left.trust("right", right.issuer, "rights = \"SignalType = 'FREQ'\"")
    async with ends.joined(
        direction,
        METADATA,
        publisher={"security": left.folder},
        subscriber={"security": right.folder},
        scheme="tls",
    ) as (publisher, _):
        await publisher.wait_for_subscription()
        left.trust("right", right.issuer, 'rights = ""')
        await until(lambda: any(each["event"] == "rights" for each in events(audit_file)))
    found = [each for each in events(audit_file) if each.get("name") == "right"]
    of_publisher = "accepted" if direction == "forward" else "dialed"
    assert [each["event"] for each in found] == ["authenticated", "connected", "rights", "ended"]
    assert {each["fingerprint"] for each in found} == {right.certificate.fingerprint}
    connected, ended = found[1], found[3]
    assert (connected["role"], connected["direction"]) == ("publisher", of_publisher)
    assert connected["rights"] == "SignalType = 'FREQ'"
    assert isinstance(ended["seconds"], float)
    assert "PRIVATE" not in str(events(audit_file))


async def test_the_audit_log_tells_who_tried(tmp_path: Path, audit_file: Path) -> None:
    left, right = trusting_pair(tmp_path)
    left.trust("right", Issuer("else"))
    async with (
        Publisher("tls://127.0.0.1:0", metadata=METADATA, security=left.folder) as publisher,
        Subscriber(publisher.listening[0], security=right.folder),
    ):
        await until(lambda: any(each.get("code") == "unknown-certificate" for each in events(audit_file)))
        await until(lambda: any(each.get("code") == "refused-unknown-certificate" for each in events(audit_file)))
    refused = next(each for each in events(audit_file) if each.get("code") == "unknown-certificate")
    assert (refused["event"], refused["direction"]) == ("refused", "accepted")
    assert right.certificate.fingerprint in str(refused["reason"])
