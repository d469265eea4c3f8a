"""The fuzz targets endure their own seeds, cut and damaged; that is quick, and keeps them working."""

from __future__ import annotations

import importlib.util
import random
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sttp.errors import STTPError

_spec = importlib.util.spec_from_file_location("fuzz_targets", Path(__file__).parent / "targets.py")
assert _spec is not None
assert _spec.loader is not None
targets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(targets)


def test_there_are_at_most_eight_each_with_seeds() -> None:
    assert len(targets.TARGETS) == len(targets.SEEDS) == 8
    assert targets.TARGETS.keys() == targets.SEEDS.keys()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_raises_nothing_but_documented_errors(name: str) -> None:
    dice = random.Random(name)
    seeds = list(targets.SEEDS[name]())
    assert seeds
    for seed in dice.sample(seeds, min(len(seeds), 40)):
        damaged = bytearray(seed)
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        for data in (seed, bytes(damaged), seed[: dice.randrange(1, len(seed) + 1)]):
            with suppress(STTPError):
                targets.TARGETS[name](data)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_does_something(name: str) -> None:
    entered = set()

    def note(frame, event, argument):
        if event == "call" and "/sttp/" in frame.f_code.co_filename:
            entered.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for seed in targets.SEEDS[name]():
            with suppress(STTPError):
                targets.TARGETS[name](seed)
    finally:
        sys.setprofile(before)
    assert len(entered) >= 8, "a generator that nobody iterates over parses nothing"


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_endures_what_the_fuzzer_has_kept(name: str) -> None:
    kept = targets.corpus(name)
    assert kept
    for data in kept:
        with suppress(STTPError):
            targets.TARGETS[name](data)
