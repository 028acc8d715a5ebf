"""Opens pages in headless Chromium, in windows of given widths and themes, and reports what became of them.

One start of Chromium serves many pages: it takes longer than what is looked at. Themes are switched, pages
printed and files downloaded as people do it. `probe.js` reads a page from top to bottom in each scenario.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browsing import browse, step

HEIGHT = 900
PROBE = Path(__file__).parent / "probe.js"


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


def see(looks: Sequence[Look], folder: Path) -> dict[str, Seen]:
    """Open each page; `folder` takes the files."""

    async def visit(browser: Any, own: Path) -> dict[str, Seen]:
        return {look.name: await _read(browser, look, own / look.name) for look in looks}

    return browse(visit, folder)


async def _read(browser: Any, look: Look, folder: Path) -> Seen:
    """What becomes of a page in a profile and a folder of its own."""
    folder.mkdir()
    context = await step(
        f"{look.name}: a new profile",
        browser.new_context(
            viewport={"width": look.width, "height": HEIGHT},
            color_scheme="dark" if look.dark else "light",
            accept_downloads=True,
        ),
    )
    tab = await step(f"{look.name}: a new tab", context.new_page())
    seen = await _Reader(tab, look, folder).read()
    await step(f"{look.name}: its end", context.close())
    return seen


class _Reader:
    """Reads one page in one tab."""

    def __init__(self, tab: Any, look: Look, folder: Path) -> None:
        self._tab, self._look, self._folder = tab, look, folder
        self._seen = Seen()
        tab.on("console", lambda message: self._seen.errors.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: self._seen.errors.append(str(error)))

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
            other = "light" if look.dark else "dark"
            await self._step("the other theme", self._tab.emulate_media(color_scheme=other))
            seen.switched = await self._evaluate("probe.readAgain()")
        if look.download:
            seen.linked = await self._evaluate("probe.linked()")
            seen.downloaded = await self._step("a download", self._download())
        if look.print:
            printing = self._tab.pdf(print_background=True, prefer_css_page_size=True)
            seen.pdf = await self._step("printing", printing)
            seen.printed = await self._evaluate("probe.printedWidths")
        return seen

    async def _open(self) -> None:
        """Load the page, and wait until its first figure is drawn."""
        page = self._folder / "page.html"
        page.write_text(self._look.html, encoding="utf-8")
        await self._step("the probe", self._tab.add_init_script(path=PROBE))
        await self._step("loading", self._tab.goto(page.as_uri(), timeout=0))
        self._seen.ready_ms = await self._evaluate("probe.ready()")

    async def _download(self) -> tuple[str, str]:
        """Let the first of the links to data land in a folder for real."""
        async with self._tab.expect_download(timeout=0) as expected:
            name = await self._tab.evaluate("probe.clickFirst()")
        download = await expected.value
        assert download.suggested_filename == name
        await download.save_as(self._folder / name)
        return name, (self._folder / name).read_text(encoding="utf-8")

    async def _evaluate(self, expression: str) -> Any:
        return await self._step(expression, self._tab.evaluate(expression))

    async def _step(self, what: str, doing: Any) -> Any:
        return await step(f"{self._look.name}: {what}", doing)
