from __future__ import annotations

import pytest

from sttp.cli import progress


def test_where_nobody_watches_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress(lambda: "never asked"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("share", [None, 0.5])
def test_a_person_sees_the_line_and_the_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, share: float | None
) -> None:
    monkeypatch.setattr(progress, "is_interactive", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress(lambda: "[12] measurements", None if share is None else lambda: share):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "[12] measurements" in err
    assert ("━" in err) is (share is not None)
