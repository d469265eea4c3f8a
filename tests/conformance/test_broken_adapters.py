"""A command that cannot be started, dies, hangs, says something else, or is late: told apart, each in one line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from sttp.codes import Role
from sttp_conformance.adapter import Adapter, read_adapter
from sttp_conformance.control import ControlChannel, ControlError, UnsupportedRequest
from sttp_conformance.process import Process
from sttp_conformance.smoke import smoke
from sttp_conformance.ways import Direction, Way

FORWARD = Way(Direction.FORWARD)

GREETS = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], file=sys.stderr, flush=True)
"""


def adapter(folder: Path, program: str, *, more: str = "", end: str = "publisher-listen") -> Adapter:
    (folder / "program.py").write_text(program)
    (folder / "adapter.toml").write_text(
        f"contract = 1\n[implementation]\nname = 'x'\nversion = '1'\n[commands]\n{end} = ['{{python}}', 'program.py']\n"
        f"[announcement]\npattern = 'listening on (?P<port>[0-9]+)'\nseconds = 1.0\n{more}"
    )
    return read_adapter(folder)


async def smoked(folder: Path, program: str, **options: str) -> tuple[bool, str]:
    """Whether the adapter is to blame, and the line."""
    (line,) = (await smoke(adapter(folder, program, **options), [FORWARD], folder)).lines
    assert not line.works
    assert "\n" not in line.text
    return line.adapter_is_broken, line.text


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "adapter.toml"
    adapter(tmp_path, "")
    file.write_text(file.read_text().replace("{python}", "./nothing"))
    (line,) = (await smoke(read_adapter(file), [FORWARD], tmp_path)).lines
    assert line.adapter_is_broken
    assert "the command cannot be started: ./nothing: No such file or directory" in line.text
    assert "commands.publisher-listen" in line.text


async def test_a_program_that_is_not_on_the_path(tmp_path: Path) -> None:
    file = tmp_path / "adapter.toml"
    adapter(tmp_path, "")
    file.write_text(file.read_text().replace("{python}", "my-publisher"))
    (line,) = (await smoke(read_adapter(file), [FORWARD], tmp_path)).lines
    assert "my-publisher: there is no such program on the PATH (" in line.text
    (tmp_path / "my-publisher").touch()
    (line,) = (await smoke(read_adapter(file), [FORWARD], tmp_path)).lines
    assert "on the PATH; write ./my-publisher for the one in the folder of the adapter (" in line.text


async def test_a_command_that_dies(tmp_path: Path) -> None:
    broken, text = await smoked(tmp_path, "import sys; print('no licence', file=sys.stderr); sys.exit(3)")
    assert broken
    assert "before it said where it listens, with exit code 3; its last line on stderr: 'no licence'" in text


async def test_a_command_that_hangs(tmp_path: Path) -> None:
    broken, text = await smoked(tmp_path, "import time; time.sleep(60)")
    assert broken
    assert "the command hangs: it said nothing on stderr within 1 s" in text


async def test_a_command_that_says_something_else(tmp_path: Path) -> None:
    broken, text = await smoked(
        tmp_path, "import sys, time; print('ready', file=sys.stderr, flush=True); time.sleep(60)"
    )
    assert broken
    assert "said 1 lines on stderr within 1 s, none of which fits announcement.pattern; the first was 'ready'" in text


async def test_a_command_that_is_late(tmp_path: Path) -> None:
    broken, text = await smoked(tmp_path, f"import time; time.sleep(1.05)\n{GREETS}\ntime.sleep(60)")
    assert broken
    assert "says late where it listens" in text


async def test_an_implementation_that_closes_at_once_is_to_blame_itself(tmp_path: Path) -> None:
    broken, text = await smoked(tmp_path, f"{GREETS}\nwhile True: listener.accept()[0].close()")
    assert not broken
    assert "the implementation does not answer: expected an answer to UpdateProcessingInterval" in text


async def test_an_implementation_that_ends_at_the_first_word_is_to_blame_itself(tmp_path: Path) -> None:
    program = f"{GREETS}\nlistener.accept()[0].recv(9); sys.exit('I do not speak STTP')"
    broken, text = await smoked(tmp_path, program)
    assert not broken
    assert "I do not speak STTP" in text


async def test_nothing_is_left_of_a_command_that_ignores_everything(tmp_path: Path) -> None:
    """Neither of it nor of what it has started."""
    program = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = await Process.start([sys.executable, "-c", program], {}, tmp_path)
    while not process.stdout.count:
        await process.stdout.grow()
    pids = [int(each) for each in process.stdout.last.split()]
    await process.stop()
    # killed is not yet gone: the system takes its time for what is not our own child
    while any(map(_runs, pids)):  # noqa: ASYNC110 - nothing tells when it is done
        await asyncio.sleep(0)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


ANSWERS = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    answer = {REPLY}.get(request["do"], {{"unsupported": True}})
    print(answer if isinstance(answer, str) else json.dumps({{"id": request["id"], **answer}}), flush=True)
    if answer == "garbage": sys.exit(4)
"""


async def test_answers_are_told_apart(tmp_path: Path) -> None:
    reply = {"publish": {"ok": True, "count": 3}, "notify": {"error": "no"}, "report": "garbage"}
    program = ANSWERS.replace("{REPLY}", repr(reply)).replace("{{", "{").replace("}}", "}")
    process = await Process.start([sys.executable, "-c", program], dict(os.environ), tmp_path)
    try:
        control = ControlChannel(process, "publisher-dial")
        assert (await control.ask("publish"))["count"] == 3
        with pytest.raises(UnsupportedRequest):
            await control.ask("dance")
        with pytest.raises(ControlError, match="'notify' is answered with an error: no"):
            await control.ask("notify")
        with pytest.raises(ControlError, match="the process ended with 'report' unanswered: exit code 4"):
            await control.ask("report")
    finally:
        await process.stop()


async def test_an_unknown_request_must_be_answered_with_unsupported(tmp_path: Path) -> None:
    program = (
        f"{GREETS}\nimport json\n"
        "for line in sys.stdin: print(json.dumps({'id': json.loads(line)['id'], 'ok': True}), flush=True)"
    )
    broken, text = await smoked(tmp_path, program, more='[control]\npublisher = ["publish"]\n')
    assert broken
    assert "is not answered with unsupported" in text


def test_the_schema_is_json() -> None:
    import sttp_conformance  # noqa: PLC0415

    schema = json.loads((Path(sttp_conformance.__file__).parent / "adapter.schema.json").read_text("utf-8"))
    assert set(schema["properties"]["commands"]["properties"]) == {
        f"{role.value}-{verb}" for role in Role for verb in ("listen", "dial")
    }
