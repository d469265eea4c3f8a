from __future__ import annotations

import pytest

from sttp.cli import main, plugins
from sttp.transport import BrokenPlugin, Plugins
from sttp.transport.plugins import Source


def test_what_is_installed_is_listed_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "transport" in lines["tcp"]
    assert "dial, listen" in lines["tcp"]
    assert "sttp-kit" in lines["tcp"]
    assert "sttp_tcp" in lines["tcp"]
    assert "connectivity model" in lines["reverse"]
    assert "built in" in lines["forward"]


def test_a_plugin_that_was_set_aside_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(name="bad", distribution="bad-dist", version="1", load=lambda: None)
    found = Plugins(
        transports={},
        layers={},
        connectivity={},
        provided=(),
        broken=(BrokenPlugin(source=source, error=ImportError("no\nmodule")),),
    )
    monkeypatch.setattr(plugins, "load_plugins", lambda: found)
    assert main(["plugins"]) == 0
    assert "set aside: bad (bad-dist 1): ImportError: no\ufffdmodule" in capsys.readouterr().out
