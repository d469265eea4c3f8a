"""Adapter files: what is wrong with one is said with file, key, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from sttp.codes import Role
from sttp_conformance.adapter import AdapterError, read_adapter
from sttp_conformance.ways import Direction

GOOD = """
contract = 1
[implementation]
name = "mine"
version = "1"
[commands]
subscriber-dial = ["./mine", "{host}", "{port}"]
"""


def read(folder: Path, text: str):
    file = folder / "adapter.toml"
    file.write_text(text)
    return read_adapter(folder)


def test_ten_lines_are_enough(tmp_path: Path) -> None:
    adapter = read(tmp_path, GOOD)
    assert adapter.has_end(Role.SUBSCRIBER, Direction.FORWARD)
    assert not adapter.has_end(Role.SUBSCRIBER, Direction.REVERSE)
    assert adapter.lacks("control:report", Role.SUBSCRIBER)
    assert adapter.lacks("tssc", Role.SUBSCRIBER) == ""


def test_a_timer_can_be_set_where_its_placeholder_stands(tmp_path: Path) -> None:
    adapter = read(tmp_path, GOOD + '[environment]\nCAP = "{redial-cap}"\n[timers]\nkeep-alive = 7')
    assert adapter.can_set("redial-cap")
    assert adapter.timer("redial-cap", {"redial-cap": 0.3}) == 0.3
    assert adapter.timer("keep-alive", {"keep-alive": 0.3}) == 7.0
    assert adapter.timer("dead-peer", {}) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("contract = ", "it is not TOML"),
        (
            GOOD.replace("contract = 1", "contract = 2"),
            "contract: 2 does not fit; write the version of the contract: 1",
        ),
        (GOOD.replace("name =", "nmae ="), "implementation.nmae: there is no such key; did you mean name?"),
        (GOOD.replace('name = "mine"', ""), "implementation.name: it is missing; write the name of the implementation"),
        (GOOD + 'colour = "red"', "commands.colour: there is no such key; known here are publisher-listen"),
        (GOOD.replace("subscriber-dial", "subscriber-dail"), "did you mean subscriber-dial?"),
        (GOOD.replace('["./mine", "{host}", "{port}"]', '"./mine"'), "write the program and its arguments as an array"),
        (GOOD.replace("{host}", "{hsot}"), r"commands.subscriber-dial\[1\]: there is no placeholder {hsot}; there are"),
        (GOOD.partition("[commands]")[0], "commands: give commands that start the implementation, or addresses"),
        (GOOD + "[announcement]\npattern = '('", "announcement.pattern: not a regular expression"),
        (GOOD + "[announcement]\npattern = 'here'", "announcement.pattern: it has no group"),
        (GOOD + "[[known-failing]]\ncheck = 'a'", r"known-failing\[0\].message: it is missing; write a part of the"),
        (GOOD + "[[known-deviation]]\ncheck = 'a'\nreason = 'b'", r"known-deviation\[0\].link: it is missing"),
        (GOOD + "[timers]\nkeep-alive = 'five'", 'timers.keep-alive: "five" does not fit; write seconds between'),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(AdapterError, match=reason) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "adapter.toml"))
    assert "\n" not in str(caught.value).removesuffix("\n") or "TOML" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"nowhere.toml: it cannot be read: No such file"):
        read_adapter(tmp_path / "nowhere.toml")


SKELETONS = Path(__file__).resolve().parent.parent.parent / "conformance" / "adapters" / "skeletons"


@pytest.mark.parametrize("name", ["cppapi", "goapi", "gsfapi"])
def test_a_skeleton_is_an_adapter_and_says_that_it_was_not_run(name: str) -> None:
    adapter = read_adapter(SKELETONS / name)
    assert adapter.name == name
    for file in (SKELETONS / name).iterdir():
        if file.suffix in (".cpp", ".cs", ".go", ".toml"):
            assert "skeleton" in " ".join(file.read_text("utf-8").lower().split()[:60]), file
    assert f"[{name}]({name})" in (SKELETONS / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "source"), [("cppapi", "endpoint.cpp"), ("goapi", "subscriber.go"), ("gsfapi", "Subscriber.cs")]
)
def test_a_skeleton_answers_what_it_says_that_it_answers(name: str, source: str) -> None:
    program = (SKELETONS / name / source).read_text("utf-8")
    adapter = read_adapter(SKELETONS / name)
    for request in {each for requests in adapter.control.values() for each in requests}:
        assert f'"{request}"' in program
