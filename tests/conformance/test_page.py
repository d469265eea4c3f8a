"""The page of a report in a real browser: nothing goes wrong, and eyes, keys and screen readers find their way."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from browser import browser
from records import HOSTILE, mixed
from sttp_conformance.reports import as_page

SHOWN = "[...document.querySelectorAll('.run .result:not([hidden])')].filter(e => !e.closest('details.chapter').hidden)"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The page of two runs."""
    file = tmp_path / "report.html"
    file.write_text(as_page([mixed(), mixed(implementation="yours")]), "utf-8")
    return file


async def test_nothing_goes_wrong_and_nothing_is_asked_of_others(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(report)
        assert await page.value("document.querySelectorAll('img').length") == 0
        assert await page.value("document.querySelectorAll('script').length") == 1
        assert HOSTILE[:40] in await page.value("document.querySelector('.stderr').textContent")
        await page.value("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        wide = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        assert page.complaints == []
        assert page.requests == [report.as_uri()]


async def test_a_browser_that_complains_would_be_noticed(tmp_path: Path) -> None:
    """The positive control, and the policy at work: a script that came in by accident does not run."""
    spoiled = tmp_path / "spoiled.html"
    text = as_page([mixed()]).replace("<main>", "<main><script>window.ran = true</script>")
    await asyncio.to_thread(spoiled.write_text, text, "utf-8")
    async with browser(tmp_path) as page:
        await page.open(spoiled)
        assert await page.value("window.ran") is None
        assert "Content Security Policy" in " ".join(page.complaints)


async def test_search_and_filters_narrow_what_is_shown(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(report)
        assert await page.value(f"{SHOWN}.length") == 16
        await page.press("/", code=191, text="/")
        assert await page.value("document.activeElement.id") == "search"
        await page.type("sql FRM-001")
        assert await page.value(f"{SHOWN}.map(e => e.querySelector('.name').textContent)") == ["refuses_sql"] * 2
        assert await page.value("document.querySelectorAll('.run details.chapter[open]').length") == 2
        assert await page.value("document.getElementById('found').textContent") == "2 of 16 results are shown"
        await page.press("Escape", code=27)
        assert await page.value(f"{SHOWN}.length") == 16
        await page.value("document.querySelector('[value=failed]').click()")
        assert await page.value(f"{SHOWN}.some(e => e.dataset.verdict === 'failed')") is False
        assert page.complaints == []


async def test_keys_alone_lead_from_a_cell_to_what_was_said(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(report)
        await page.press("Tab", code=9)
        assert await page.value("document.activeElement.className") == "skip"
        for _ in range(12):
            if await page.value("document.activeElement.className") == "cell":
                break
            await page.press("Tab", code=9)
        assert await page.value("document.activeElement.className") == "cell"
        assert await page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await page.press("Enter", code=13, text="\r")
        await page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await page.value("document.activeElement.id") == "run1-framing-forward"
        assert await page.value("document.activeElement.closest('details').open") is True
        await page.press("Tab", code=9)
        assert await page.value("document.activeElement.tagName") == "SUMMARY"
        await page.press(" ", code=32, text=" ")
        assert "DefineOperationalModes" in await page.value("document.activeElement.parentElement.innerText")
        assert "00 00 00 05 06 e0 00 02 62" in await page.value("document.activeElement.parentElement.innerText")
        await page.value("document.activeElement.parentElement.querySelector('.rule').click()")
        await page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await page.value("document.activeElement.id") == "rule-STTP-FRM-001"
        assert await page.value("document.activeElement.closest('details').open") is True


async def test_without_script_everything_can_be_read(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.ask("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(report, "#run1-framing-forward")
        assert await page.value("getComputedStyle(document.getElementById('filter')).display") == "none"
        assert await page.value("document.getElementById('run1-framing-forward').closest('details').open") is True


async def test_a_screen_reader_is_told_what_eyes_see(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(report)
        nodes = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
        named = {
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        }
        assert (
            "link",
            "framing, mine 1.2, forward: 1 failed, must; 1 failed, should; 1 passed; 1 unsupported; 1 skipped",
        ) in named
        assert ("searchbox", "Search") in named
        assert ("combobox", "Level") in named
        assert {"main", "search", "table", "columnheader", "rowheader"} <= {role for role, _ in named}
        assert not [
            role for role, name in named if role in ("link", "button", "checkbox", "region") and not name.strip()
        ]


# The contrast that WCAG 2 asks of text, level AA.
CONTRAST = """
(() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = rgb => rgb.slice(0, 3).map(channel).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  const hasText = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll('body *')].filter(hasText)
    .map(e => {
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), e.tagName, e.className];
    }).filter(([ratio, tag]) => ratio < 4.5 && !['SCRIPT', 'STYLE', 'OPTION'].includes(tag));
})()
"""


async def test_every_text_stands_out_from_what_is_behind_it_light_and_dark(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(report)
        await page.value("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 28)")):
            await page.scheme(scheme)
            assert await page.value("getComputedStyle(document.body).backgroundColor") == paper
            assert await page.value(CONTRAST) == []


async def test_what_is_printed_has_no_folds(report: Path, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.ask("Emulation.setEmulatedMedia", media="print")
        await page.open(report)
        assert await page.value("document.querySelector('.run .transcript').checkVisibility()") is True
        assert await page.value("document.getElementById('filter').checkVisibility()") is False
        printed = await page.ask("Page.printToPDF")
        assert base64.b64decode(printed["data"]).startswith(b"%PDF")
