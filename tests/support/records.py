"""Records of runs, made up for tests of reports."""

from __future__ import annotations

from typing import Any

from sttp_conformance.ledger import Level
from sttp_conformance.verdicts import Result, Rule, RunRecord, Verdict

HOSTILE = (
    "</script></pre><script>console.error('ran')</script><img src=x onerror=\"console.error('loaded')\"> \u202e\x1b[31m"
)
"""What a peer may say that wants to get into a page or a terminal."""

TRANSCRIPT = (
    "connection 1",
    "  +0.0001 s  -- connected",
    "  +0.0007 s  subscriber: DefineOperationalModes modes=2 parameters=b''  [00 00 00 05 06 e0 00 02 62]",
    "  +0.0010 s   publisher: Succeeded command=6 text='modes accepted'  [00 00 00 06 80 06 00 00 00 00]",
)


def result(check: str = "answers", verdict: Verdict = Verdict.PASSED, **more: Any) -> Result:
    """A result; what is not given is plain."""
    given: dict[str, Any] = {
        "chapter": "framing",
        "title": "A publisher answers.",
        "requirements": ("STTP-FRM-001",),
        "level": Level.MUST,
        "role": "publisher",
        "direction": "forward",
        "transport": "tcp",
        "surprise": "it fails" if verdict is Verdict.FAILED else "",
    }
    return Result(check=check, verdict=verdict, **{**given, **more})


def record(*results: Result, **more: Any) -> RunRecord:
    """A record of these results."""
    given: dict[str, Any] = {
        "contract": 1,
        "edition": "2026.1",
        "suite": "0.1.0",
        "implementation": "mine",
        "version": "1.2",
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 1.5,
        "round_trip": 0.001,
        "stale": (),
        "broken": "",
        "requirements": {
            "STTP-FRM-001": Rule(source="wire.md 1.1", level=Level.MUST, role="both", text="Everything is a frame.")
        },
    }
    return RunRecord(results=results, **{**given, **more})


def mixed(**more: Any) -> RunRecord:
    """A record with something of everything, in which every text of the peer is hostile."""
    failed = result(
        "refuses_sql",
        Verdict.FAILED,
        message=f"expected a frame, but {HOSTILE}",
        notes=(HOSTILE,),
        transcript=(*TRANSCRIPT, f"  +0.0020 s   publisher: Notify text='{HOSTILE}'  [00 01]"),
        stderr=(HOSTILE,),
    )
    return record(
        failed,
        result(
            "keeps_order", Verdict.FAILED, level=Level.SHOULD, known="known-failing", surprise="", role="subscriber"
        ),
        result("answers"),
        result("answers", direction="reverse"),
        result("compares", direction="both", chapter="role_invariance", subject="answers"),
        result("dials", Verdict.UNSUPPORTED, message="the adapter has no command for publisher-dial"),
        result("waits", Verdict.SKIPPED, message="it takes long"),
        result("is_new", Verdict.FAILED, counts=False, chapter="tssc"),
        **more,
    )
