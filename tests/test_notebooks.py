"""The examples of docs/howto/notebooks.md, run one after another as in a notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from running import PATIENCE, Running
from sttp import sync


def test_the_examples_run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (repository / "docs" / "howto" / "notebooks.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, Any] = {}
    source = Running(["publish", "tcp://127.0.0.1:0", "--simulate", "40"])
    try:
        with sync.Subscriber("reverse+tcp://127.0.0.1:0") as sink:
            page = page.replace('"tcp://localhost:7165"', repr(source.listening()))
            page = page.replace('"reverse+tcp://localhost:7166"', repr(sink.listening))
            for cell in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
                exec(compile(cell, "notebooks.md", "exec"), notebook)
            published = next(sink.within(PATIENCE).measurements()).to_pandas(wide=True)
    finally:
        source.process.kill()
        source.process.communicate()
    assert list(published.columns) == list(notebook["wide"].columns)
    sent = notebook["smooth"].loc[published.index].astype("float32")
    pd.testing.assert_frame_equal(published, sent, check_freq=False)
    assert len(pd.read_parquet(tmp_path / "measurements.parquet")) == len(notebook["frame"])
    assert not notebook["frame"]["time"].isna().any()
