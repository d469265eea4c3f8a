from __future__ import annotations

from pathlib import Path

import pytest

from sttp.cli import publishing_process as module
from sttp.cli.publishing_process import PublishingProcessError, publishing_process


async def test_it_tells_where_it_listens_and_does_not_outlive_its_context() -> None:
    async with publishing_process("tcp://127.0.0.1:0", "--simulate", "1") as process:
        assert (await process.listening()).startswith("tcp://127.0.0.1:")
    with pytest.raises(PublishingProcessError, match="failed with exit code -9"):
        await process.ended()


async def test_an_early_end_is_told_with_the_reason(fault_files: tuple[Path, Path]) -> None:
    csv, _ = fault_files
    async with publishing_process("tcp://127.0.0.1:0", "--csv", str(csv), "--metadata", str(csv)) as process:
        with pytest.raises(PublishingProcessError, match="ended early: sttp: error: "):
            await process.listening()
        with pytest.raises(PublishingProcessError, match="exit code 1"):
            await process.ended()


async def test_one_that_goes_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with publishing_process("tcp://127.0.0.1:0", "--simulate", "1") as process:
        await process.listening()
        monkeypatch.setattr(module, "_PATIENCE", 0.05)
        with pytest.raises(PublishingProcessError, match="goes on"):
            await process.ended()
