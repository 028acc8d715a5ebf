"""Opens pages in headless Chromium, in windows of given widths and themes, and reports what became of them.

One start of Chromium serves many pages: it takes longer than what is looked at. The browser is driven over
its own protocol: themes are switched, pages printed and files downloaded as people do it. `probe.js` reads a
page from top to bottom in each of its scenarios.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from filelock import FileLock

HEIGHT = 900
TRIES = 3
PAGE_S, ALL_S = 40, 240
"""How long a browser may take for a page and for all of them: many times what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page to be opened: `name` tells it from others.

    What takes longer is done if asked: `switch` the theme while it is open, `download` its data, `print` it.
    `words_only`: of a page that draws nothing.
    """

    name: str
    html: str
    width: int
    dark: bool = False
    switch: bool = False
    download: bool = False
    print: bool = False
    words_only: bool = False


@dataclass(slots=True, kw_only=True)
class Seen:
    """What became of a page.

    - `errors`: uncaught exceptions and what the console said.
    - `views`: one entry for each scenario, of what `probe.js` saw; `switched`: the last in the other theme.
    - `undrawn`: figures that were not drawn before they were scrolled to.
    - `linked`: the CSV that each link leads to, by the name of its file; `downloaded`: the file of the first.
    - `words`: all text that is visible at first.
    - `pdf`: the page as printed, `printed`: the width of each figure then.
    """

    errors: list[str] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    switched: dict[str, Any] = field(default_factory=dict)
    undrawn: int = 0
    headings: list[int] = field(default_factory=list)
    outline: str = ""
    words: str = ""
    linked: dict[str, str] = field(default_factory=dict)
    downloaded: tuple[str, str] = ("", "")
    pdf: bytes = b""
    printed: list[float] = field(default_factory=list)
    ready_ms: float = 0.0


def chromium() -> str:
    """The browser; where there is none the test skips, or fails if INFERSIM_REQUIRE_BROWSER=1."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    reason = "no Chromium is installed"
    if os.environ.get("INFERSIM_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and INFERSIM_REQUIRE_BROWSER=1 demands it")
    pytest.skip(reason)


def see(looks: Sequence[Look], folder: Path) -> dict[str, Seen]:
    """Open each page; `folder` takes the files. A browser that stops answering is started again.

    One browser at a time, whatever tests run beside: two that start at once wait for each other now and then.
    """
    path = chromium()
    pytest.importorskip("choreographer")
    with FileLock(Path(gettempdir()) / "infersim-test-browser.lock"):
        for number in range(1, TRIES):
            with suppress(TimeoutError):
                return asyncio.run(asyncio.wait_for(_see(looks, folder / f"try-{number}", path), ALL_S))
        return asyncio.run(asyncio.wait_for(_see(looks, folder / f"try-{TRIES}", path), ALL_S))


async def _see(looks: Sequence[Look], folder: Path, path: str) -> dict[str, Seen]:
    import choreographer

    seen = {}
    async with choreographer.Browser(path=path, headless=True) as browser:
        for look in looks:
            tab = await asyncio.wait_for(browser.create_tab("about:blank"), PAGE_S)
            reader = _Reader(browser, tab, look, folder / look.name)
            seen[look.name] = await asyncio.wait_for(reader.read(), PAGE_S)
            await browser.close_tab(tab.target_id)
    return seen


class _Reader:
    """Reads one page in one tab."""

    def __init__(self, browser: Any, tab: Any, look: Look, folder: Path) -> None:
        self._browser, self._tab, self._look, self._folder = browser, tab, look, folder
        self._seen = Seen()

    async def read(self) -> Seen:
        look, seen = self._look, self._seen
        await self._open()
        seen.words = await self._evaluate("probe.words()")
        if look.words_only:
            return seen
        seen.undrawn = await self._evaluate("probe.undrawn()")
        seen.views = await self._evaluate("probe.readAll()")
        seen.headings = await self._evaluate("probe.headings()")
        seen.outline = await self._evaluate("probe.outline()")
        if look.switch:
            await self._theme(dark=not look.dark)
            seen.switched = await self._evaluate("probe.readAgain()")
        if look.download:
            await self._download()
        if look.print:
            answer = await self._send("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
            seen.pdf = base64.b64decode(answer["data"])
            seen.printed = await self._evaluate("probe.printedWidths")
        return seen

    async def _open(self) -> None:
        """Load the page, and wait until its first figure is drawn."""
        self._folder.mkdir(parents=True)
        page = self._folder / "page.html"
        page.write_text(self._look.html, encoding="utf-8")
        probe = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
        for name in ("Runtime", "Log", "Page"):
            await self._send(f"{name}.enable")
        self._tab.subscribe("Runtime.exceptionThrown", self._note)
        self._tab.subscribe("Runtime.consoleAPICalled", self._note)
        self._tab.subscribe("Log.entryAdded", self._note)
        size = {"width": self._look.width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        await self._send("Emulation.setDeviceMetricsOverride", **size)
        await self._theme(dark=self._look.dark)
        await self._send("Emulation.setFocusEmulationEnabled", enabled=True)
        await self._send("Page.bringToFront")  # what is not seen draws no frames
        await self._send("Page.addScriptToEvaluateOnNewDocument", source=probe)
        await self._send("Page.navigate", url=page.as_uri())
        self._seen.ready_ms = await self._evaluate("probe.ready()")

    async def _note(self, event: dict[str, Any]) -> None:
        self._seen.errors.append(json.dumps(event["params"]))

    async def _theme(self, *, dark: bool) -> None:
        value = "dark" if dark else "light"
        await self._send(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}]
        )

    async def _download(self) -> None:
        """Read what the links to data lead to, and let the first of them land in a folder for real."""
        self._seen.linked = await self._evaluate("probe.linked()")
        into = self._folder / "downloads"
        into.mkdir()
        await self._browser.send_command(
            "Browser.setDownloadBehavior", params={"behavior": "allow", "downloadPath": str(into)}
        )
        name = await self._evaluate("probe.clickFirst()")
        while not (into / name).exists():
            await asyncio.sleep(0.05)
        self._seen.downloaded = name, (into / name).read_text(encoding="utf-8")

    async def _evaluate(self, expression: str) -> Any:
        while True:
            answer = await self._send(
                "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
            )
            thrown = answer.get("exceptionDetails")
            if thrown is None:
                return answer["result"].get("value")
            # The page is not there yet.
            if "probe is not defined" not in str(thrown) and "context" not in str(thrown):
                raise AssertionError(f"{expression}: {thrown}")
            await asyncio.sleep(0.05)

    async def _send(self, command: str, **params: Any) -> dict[str, Any]:
        answer = await self._tab.send_command(command, params=params)
        if "error" in answer:
            if "context" in str(answer["error"]):  # destroyed by navigation
                return {"exceptionDetails": str(answer["error"])}
            raise AssertionError(f"{command}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result
