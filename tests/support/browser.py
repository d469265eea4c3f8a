"""A headless Chromium, and as much of its DevTools protocol as it takes to look at a page, type and listen.

It talks through two pipes, so that no port, no library and no driver is needed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_PATIENCE = 20.0


class Page:
    """One page. Whatever it says on its console, throws or fails to load is kept in `complaints`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._writer, self._reader = process.stdin, process.stdout
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def listen(self) -> None:
        """Take what the browser says, until it has ended."""
        while True:
            try:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return
            if "id" in message:
                answer = self._answers.pop(message["id"])
                if "error" in message:
                    answer.set_exception(RuntimeError(str(message["error"])))
                else:
                    answer.set_result(message["result"])
            else:
                self._take(message["method"], message["params"])

    def _take(self, event: str, params: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.consoleAPICalled":
                self.complaints.append(f"{params['type']}: {params['args']}")
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(str(params["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Say a command of the protocol, and return its answer."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(_PATIENCE):
            return await answer

    async def begin(self) -> None:
        """Take a tab, and ask to be told what goes wrong in it."""
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            await self.ask(f"{domain}.enable")

    async def open(self, file: Path, fragment: str = "") -> None:
        """Open a file, and wait until it has loaded."""
        self._loaded.clear()
        await self.ask("Page.navigate", url=file.as_uri() + fragment)
        async with asyncio.timeout(_PATIENCE):
            await self._loaded.wait()

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to in the page. A promise is waited for."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def press(self, key: str, *, code: int, text: str = "") -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            await self.ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    async def type(self, text: str) -> None:
        """Type a text where the focus is."""
        await self.ask("Input.insertText", text=text)

    async def scheme(self, name: str) -> None:
        """Prefer `light` or `dark`."""
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A page of a browser of its own. Where there is none the test is skipped, unless STTP_REQUIRE_CHROMIUM is set.

    Args:
        folder: where the browser keeps what it keeps.
    """
    if CHROMIUM is None:
        message = "no page is looked at: there is no chromium on the PATH (on Debian: apt-get install chromium)"
        if os.environ.get("STTP_REQUIRE_CHROMIUM"):
            pytest.fail(message)
        pytest.skip(message)
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        'exec 3<&0 4>&1 0</dev/null 1>&2; exec "$@"',
        "sh",
        CHROMIUM,
        "--headless=new",
        "--remote-debugging-pipe",
        "--no-sandbox",  # it runs as root in containers, and sees nothing but our own pages
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--window-size=1200,1000",
        f"--user-data-dir={folder / 'chromium'}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 26,
    )
    page = Page(process)
    listener = asyncio.create_task(page.listen())
    try:
        await page.begin()
        yield page
        page._session = ""
        await page.ask("Browser.close")
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        page._writer.close()
