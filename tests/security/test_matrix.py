"""Who gets in and who does not: in both directions, pinned and by an authority, whichever end is at fault, by both
versions of TLS. Each refusal has the expected code in the logs of both ends, and nothing of STTP is heard from whoever
has not been authenticated.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from in_process import plug_in
from parties import HERE, Issuer, Party, Tampered, only_tls_1_0, up_to_tls_1_2, without_certificate
from sttp import Publisher, Subscriber
from sttp.codes import Role
from sttp.metadata import simulated_metadata
from sttp.security import Reason, Security
from sttp.testing.tap import Tap
from sttp.transport import RedialPolicy

PATIENCE = 10.0
LISTENING, DIALING = "listening", "dialing"
FAULTS = {
    "unknown": (Reason.UNKNOWN_CERTIFICATE, Reason.REFUSED_UNKNOWN_CERTIFICATE),
    "expired": (Reason.EXPIRED_CERTIFICATE, Reason.REFUSED_EXPIRED_CERTIFICATE),
    "wrong name": (Reason.NAME_MISMATCH, Reason.REFUSED_CERTIFICATE),
    "no certificate": (Reason.NO_CERTIFICATE, Reason.REFUSED_NO_CERTIFICATE),
    "another peer's": (Reason.NAME_MISMATCH, Reason.REFUSED_CERTIFICATE),
    "issued by a peer": (Reason.ISSUER_NOT_AUTHORITY, Reason.REFUSED_UNKNOWN_CERTIFICATE),
    "TLS 1.0 only": (Reason.TLS_VERSION, Reason.REFUSED_TLS_VERSION),
    "revoked": (Reason.REVOKED_CERTIFICATE, Reason.REFUSED_CERTIFICATE),
}
"""What the judge says, and what the other end is told."""


async def _never(seconds: float) -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Case:
    """One square of the matrix."""

    direction: str
    trust: str
    fault: str
    guilty: str
    version: str

    def __str__(self) -> str:
        return f"{self.direction}, {self.trust}, {self.fault}, {self.guilty} end at fault, TLS {self.version}"

    @property
    def makes_sense(self) -> bool:
        if self.fault == "no certificate":
            return self.guilty == DIALING  # a server of TLS without one cannot even begin
        if self.fault == "another peer's":
            return self.guilty == LISTENING  # who dials is whoever its certificate says, see below
        if self.fault == "revoked":
            return self.trust == "authority"
        return True

    @property
    def expected(self) -> dict[str, Reason]:
        """The code at each end."""
        judge = DIALING if self.guilty == LISTENING else LISTENING
        judged, told = FAULTS[self.fault]
        if self.fault == "TLS 1.0 only" and self.guilty == LISTENING:
            judge, self_judging = self.guilty, judge  # the server of TLS is the one that finds no version in common
            return {judge: judged, self_judging: told}
        if self.fault == "no certificate" and self.version == "1.2":
            told = Reason.REFUSED_HANDSHAKE  # TLS 1.2 has no word for it
        if self.fault == "revoked" and self.version == ("1.2" if judge == LISTENING else "1.3"):
            told = Reason.REFUSED_REVOKED_CERTIFICATE  # the judge has the last word, and can still say it
        return {judge: judged, self.guilty: told}


DIRECTIONS = {"forward": "", "reverse": "reverse+"}
CASES = [
    case
    for case in itertools.starmap(
        Case,
        itertools.product(DIRECTIONS, ("pinned", "authority"), FAULTS, (LISTENING, DIALING), ("1.3", "1.2")),
    )
    if case.makes_sense
]


def securities(folder: Path, case: Case) -> dict[str, Security]:
    """Both ends, with what is wrong with one of them."""
    root = Issuer("root", authority=True)
    known = root if case.trust == "authority" else None
    certificates: dict[str, Callable[[], Issuer]] = {
        "unknown": lambda: Issuer("guilty", HERE),
        "expired": lambda: Issuer("guilty", HERE, issuer=known, age=9, days=8),
        "wrong name": lambda: Issuer("guilty", ["elsewhere.example"], issuer=known),
        "another peer's": lambda: Issuer("other", ["other.example"], issuer=known),
        "issued by a peer": lambda: Issuer("guilty", HERE, issuer=Issuer("peer", HERE, issuer=known)),
    }
    bad = certificates.get(case.fault, lambda: Issuer("guilty", HERE, issuer=known))()
    guilty, judge = Party(folder, "guilty", bad), Party(folder, "judge", Issuer("judge", HERE, issuer=known))
    if known is not None:
        guilty.trust_authority("utility", root, revocation=root.revoking())
        judge.trust_authority("utility", root, revocation=root.revoking(*([bad] if case.fault == "revoked" else [])))
    else:
        guilty.trust("judge", judge.issuer)
        # who dials has no name to be wrong, but may come from a wrong place
        elsewhere = case.fault == "wrong name" and case.guilty == DIALING
        pinned = bad.issuer if case.fault == "issued by a peer" else bad
        if case.fault != "unknown":
            judge.trust("guilty", pinned, *(['addresses = ["10.0.0.0/8"]'] if elsewhere else []))
    if case.fault == "issued by a peer" and known is not None:
        judge.trust("peer", bad.issuer)
    tamper = {"no certificate": without_certificate, "TLS 1.0 only": only_tls_1_0}.get(case.fault)
    limited = up_to_tls_1_2 if case.version == "1.2" else lambda context: context
    honest = DIALING if case.guilty == LISTENING else LISTENING
    return {
        case.guilty: Tampered(guilty.folder, lambda context: (tamper or limited)(limited(context))),
        honest: judge.security,
    }


@dataclass
class Codes(logging.Handler):
    """The reason codes that each end has logged."""

    roles: dict[str, str]
    found: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "sttp.audit":
            return  # it says the same; see tests/cli/test_json_log.py
        line = record.getMessage()
        self.lines.append(f"{record.name}: {line}")
        code = re.search(r"\[([a-z-]+)\]", line)
        if code is not None:
            ends = {"sttp.transport": DIALING, "sttp.security": LISTENING, **self.roles}
            self.found.setdefault(ends[record.name], code[1])
            self.changed.set()

    async def both(self) -> None:
        while len(self.found) < 2:
            self.changed.clear()
            await self.changed.wait()


@contextmanager
def listened_to(case_direction: str) -> Iterator[Codes]:
    publisher, subscriber = (LISTENING, DIALING) if case_direction == "forward" else (DIALING, LISTENING)
    codes = Codes({"sttp.publisher": publisher, "sttp.subscriber": subscriber})
    log = logging.getLogger("sttp")
    level = log.level
    log.addHandler(codes)
    log.setLevel(logging.INFO)
    try:
        yield codes
    finally:
        log.removeHandler(codes)
        log.setLevel(level)


class Meeting:
    """Both ends, and taps on what is plain at each."""

    def __init__(self, direction: str, ends: dict[str, Security], patch: pytest.MonkeyPatch) -> None:
        self.publisher_at, self.subscriber_at = (LISTENING, DIALING) if direction == "forward" else (DIALING, LISTENING)
        self.taps = {self.publisher_at: Tap(Role.PUBLISHER), self.subscriber_at: Tap(Role.SUBSCRIBER)}
        plug_in(patch, layers={"taplistening": self.taps[LISTENING], "tapdialing": self.taps[DIALING]})
        self.prefix = DIRECTIONS[direction]
        self.ends = ends
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Meeting:
        await self._stack.__aenter__()
        url = f"{self.prefix}taplistening+tls+tcp://127.0.0.1:0"
        if self.publisher_at == LISTENING:
            self.publisher = await self._enter_publisher(url)
            self.subscriber = await self._enter_subscriber(self._dialed(self.publisher.listening[0]))
        else:
            self.subscriber = await self._enter_subscriber(url)
            self.publisher = await self._enter_publisher(self._dialed(self.subscriber.listening or ""))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    def heard(self, end: str) -> bytes:
        """What the streams of one end have delivered to STTP."""
        tap = self.taps[end]
        return b"".join(recording.said_by(tap.at.other) for recording in tap.recordings)

    async def _enter_publisher(self, url: str) -> Publisher:
        security = self.ends[self.publisher_at]
        end = Publisher(url, metadata=simulated_metadata(2), redial=RedialPolicy(sleep=_never), security=security)
        return await self._stack.enter_async_context(end)

    async def _enter_subscriber(self, url: str) -> Subscriber:
        security = self.ends[self.subscriber_at]
        return await self._stack.enter_async_context(
            Subscriber(url, redial=RedialPolicy(sleep=_never), security=security)
        )

    @staticmethod
    def _dialed(url: str) -> str:
        return url.replace("taplistening", "tapdialing")


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_fault_is_told_at_both_ends_and_nothing_of_sttp_is_heard(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listened_to(case.direction) as codes:
        async with Meeting(case.direction, securities(tmp_path, case), monkeypatch) as meeting:
            try:
                async with asyncio.timeout(PATIENCE):
                    await codes.both()
            except TimeoutError:
                pytest.fail("\n".join(codes.lines))
            assert codes.found == case.expected, "\n".join(codes.lines)
            assert meeting.heard(LISTENING) == meeting.heard(DIALING) == b""
            assert meeting.publisher.statistics.subscriptions == 0
            assert meeting.subscriber.statistics.connections == 0


@pytest.mark.parametrize("version", ["1.3", "1.2"])
@pytest.mark.parametrize("trust", ["pinned", "authority"])
@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_those_who_are_in_order_stream(
    direction: str, trust: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = securities(tmp_path, Case(direction, trust, "none", DIALING, version))
    with listened_to(direction) as codes:
        async with Meeting(direction, ends, monkeypatch) as meeting, asyncio.timeout(PATIENCE):
            await meeting.publisher.wait_for_subscription()
            assert meeting.subscriber.statistics.connections == 1
            assert meeting.heard(LISTENING)
            assert meeting.heard(DIALING)
    assert codes.found == {}
    assert any(f"by TLSv{version}" in line for line in codes.lines)
    assert any("only TLSv1.2 is spoken" in line for line in codes.lines) is (version == "1.2")
