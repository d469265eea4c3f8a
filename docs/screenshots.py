"""Take the pictures of the documentation that show a page: `make screenshots`. It needs Chromium."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

import conformance_page

from browser import Page, browser

STATIC = Path(__file__).parent / "_static"
WIDTH, HEIGHT = 1080, 900
OPEN = """
document.getElementById("search").value = "sttpapi cache_size";
document.getElementById("filter").dispatchEvent(new Event("input"));
const result = document.querySelector(".run details.chapter[open] .result:not([hidden]) > details");
result.open = true;
document.getElementById("results").scrollIntoView();
"""


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "report.html").write_text(conformance_page.report(), encoding="utf-8")
        async with browser(place) as page:
            await page.ask(
                "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
            )
            await page.open(place / "report.html")
            await page.value("document.getElementById('overview').scrollIntoView()")
            for scheme in ("light", "dark"):
                await page.scheme(scheme)
                await take(page, f"conformance-{scheme}.png")
            await page.scheme("light")
            await page.value(OPEN)
            await take(page, "conformance-check.png")


async def take(page: Page, name: str) -> None:
    """Take a picture of what is in the window."""
    shot = await page.ask("Page.captureScreenshot", format="png")
    (STATIC / name).write_bytes(base64.b64decode(shot["data"]))
    print(f"{STATIC / name}: {len(shot['data']) * 3 // 4000} kB")


if __name__ == "__main__":
    asyncio.run(main())
