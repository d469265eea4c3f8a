"""What sttp-kit leaves out is judged with an end that has it: no check is without an implementation that passes."""

from __future__ import annotations

from pathlib import Path

from sttp_conformance.adapter import Adapter, read_adapter
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.mutants import load_mutants
from sttp_conformance.prove import prove
from sttp_conformance.runner import run
from sttp_conformance.selection import Selection, why_not
from sttp_conformance.verdicts import Verdict
from sttp_conformance.ways import Direction

HERE = Path(__file__).resolve().parent
OURS = read_adapter(HERE.parent.parent / "conformance" / "adapters" / "sttp-kit")
FEATURES = read_adapter(HERE / "features")


def makes(adapter: Adapter, check: Check) -> bool:
    """Whether a check is made with an adapter, and expected to pass."""
    selection = Selection(slow=True)
    known = {each.check for each in adapter.expectations.known}
    ways = [way for way in selection.ways(adapter) if way.direction in check.directions]
    return check.name not in known and any(not why_not(check, way, adapter, selection)[1] for way in ways)


def test_every_check_has_an_implementation_that_passes_it() -> None:
    checks = [check for check in load_checks().values() if not check.compares]
    assert [check.name for check in checks if not makes(OURS, check) and not makes(FEATURES, check)] == []


async def test_what_ours_leaves_out_is_passed_by_the_end_that_has_it() -> None:
    words = ("rotation_changes", "orders_buffer_blocks", "tells_the_end_of_a_replay", "only_data_goes", "udp_was_asked")
    record = await run(FEATURES, Selection(words=words, directions=(Direction.REVERSE,)), lanes=2)
    assert len(record.results) == len(words)
    assert {result.verdict for result in record.results} == {Verdict.PASSED}


async def test_mutants_of_it_are_caught() -> None:
    names = ["publisher_sends_plain_data_behind_cipher_keys", "publisher_sends_noop_by_datagram"]
    judged = await prove(FEATURES, [load_mutants()[name] for name in names])
    assert [line for each in judged if not each.holds for line in each.lines()] == []
    assert all(each.proofs for each in judged)


async def test_a_mutant_proves_nothing_where_the_rule_is_not_kept_or_not_supported() -> None:
    names = ["publisher_sends_noop_by_datagram", "publisher_sends_each_buffer_block_once"]
    first, last = await prove(OURS, [load_mutants()[name] for name in names])
    assert (first.proofs, last.proofs) == ((), ())
    assert first.unjudged == "Data goes over the command channel only."
    assert "it fails without the mutant, too: known-deviation repeats_unconfirmed_buffer_blocks" in last.unjudged
