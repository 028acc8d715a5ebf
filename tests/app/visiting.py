"""Opens the page in headless Chromium and moves every control; what became of it is told in one record."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.app.test_choices import CONFIG
from tests.browsing import browse, step

DRAGS = 15
"""Moves of one slider, whose times are measured."""

WIDTHS = (390, 768, 1280, 1920)

_MOVE = """async ([name, value]) => {
  const input = document.querySelector(`[data-slider="${name}"] input`);
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  document.body.dataset.state = "";
  const start = performance.now();
  set.call(input, String(value));
  input.dispatchEvent(new Event("input", { bubbles: true }));
  while (!["ready", "settled"].includes(document.body.dataset.state)) {
    if (performance.now() - start > 60000) throw new Error(`${name}: no answer`);
    await frame();
  }
  return performance.now() - start;
}"""

_READY = "['ready', 'settled'].includes(document.body.dataset.state)"
"""Whether all that is in view is drawn."""

_ADDRESS = "location.href"
"""As the page has it: what playwright calls the address of a tab comes a little later."""

_SLIDERS = "[...document.querySelectorAll('[data-slider]')].map((each) => each.dataset.slider)"

_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

_TABLE = """[...document.querySelectorAll("#verdict tbody tr:not(.section)")].map(
  (row) => [...row.children].map((cell) => cell.textContent))"""

_PLACES = """() => Object.fromEntries([...document.querySelectorAll("[data-slider] input")]
  .filter((input) => input.closest(".family")?.querySelector("[type=checkbox]").checked ?? true)
  .map((input) => [input.id, Number(input.value)]))"""
"""Of the sliders that count: those of families that are compared, and all others."""

_LOOKS = """() => ({
  paper: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.querySelector("[data-plot] text")).fill,
  menu: getComputedStyle(document.getElementById("model")).color,
})"""

_UNNAMED = """() => [...document.querySelectorAll("input, button, select, [role=combobox]")]
  .filter((each) => each.type !== "file" && !each.ariaHidden)
  .filter((each) => !(each.labels?.length || each.getAttribute("aria-label")
    || each.getAttribute("aria-labelledby") || each.textContent.trim()))
  .map((each) => each.outerHTML.slice(0, 200))"""


@dataclass(slots=True, kw_only=True)
class Visit:
    """What became of a visit.

    - `said`: what the console said, and uncaught errors; `hosts`: what was contacted.
    - `moved`: by control, the address after it moved; `before`: the address at first.
    - `line`, `table`, `csv`, `page`: the command line, the cells of the table, and the files saved.
    - `again`: the table of the same address opened anew; `places`: sliders then and before.
    - `overflow`: by width, pixels that the page is too wide; `looks`: colours by theme.
    """

    said: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    before: str = ""
    moved: dict[str, str] = field(default_factory=dict)
    line: str = ""
    table: list[list[str]] = field(default_factory=list)
    csv: str = ""
    page: str = ""
    again: list[list[str]] = field(default_factory=list)
    places: list[dict[str, int]] = field(default_factory=list)
    overflow: dict[int, int] = field(default_factory=dict)
    looks: dict[str, dict[str, str]] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)
    drags_ms: list[float] = field(default_factory=list)
    start_s: float = 0.0
    own: str = ""
    refused: str = ""

    @property
    def drag_ms(self) -> float:
        """Of one move of a slider, until all that is in view is drawn: the median."""
        return statistics.median(self.drags_ms)


def visit_page(folder: Path) -> Visit:
    """Start the program, and do in a browser all that a person can."""

    async def visit(browser: Any, own: Path) -> Visit:
        started = time.perf_counter()
        with program() as address:
            return await _Visitor(await browser.new_context(viewport={"width": 1280, "height": 800}), own).go(
                address, started
            )

    return browse(visit, folder)


@contextmanager
def program() -> Iterator[str]:
    """The address that `infersim app` prints, as long as it runs."""
    command = [sys.executable, "-m", "infersim", "app", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3]
        finally:
            process.kill()


class _Visitor:
    def __init__(self, context: Any, folder: Path) -> None:
        self._context, self._folder, self._seen = context, folder, Visit()
        self._tab: Any = None

    async def go(self, address: str, started: float) -> Visit:
        seen = self._seen
        await self._open(address)
        seen.start_s = time.perf_counter() - started
        seen.before = self._tab.url
        await self._settled()
        seen.unnamed = await self._tab.evaluate(_UNNAMED)
        for percent in range(30, 30 + DRAGS):
            seen.drags_ms.append(await self._move("sparsity-static-m", percent))
        await self._move_all()
        await self._save()
        await self._look()
        await self._open(self._tab.url)
        seen.again = await self._tab.evaluate(_TABLE)
        seen.places.append(await self._tab.evaluate(_PLACES))
        await self._drop()
        return seen

    async def _open(self, address: str) -> None:
        tab, seen = await self._context.new_page(), self._seen
        tab.on("console", lambda message: seen.said.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: seen.said.append(str(error)))
        tab.on("request", lambda request: seen.hosts.add(request.url.partition("://")[2].split(":")[0]))
        self._tab = tab
        await step("loading", tab.goto(address, timeout=0))
        await step("the first answer", tab.wait_for_function(_READY, timeout=0))

    async def _settled(self) -> None:
        done = "document.body.dataset.state === 'settled'"
        await step("rest", self._tab.wait_for_function(done, timeout=0))

    async def _move(self, name: str, value: int) -> float:
        found: float = await step(f"moving {name}", self._tab.evaluate(_MOVE, [name, value]))
        return found

    async def _ready(self) -> None:
        await step("what is in view", self._tab.wait_for_function(_READY, timeout=0))

    async def _changed(self, name: str, doing: Any, *, in_view: bool = False) -> None:
        """Do it, wait until all is drawn, or only what is in view, and keep the address."""
        before = await self._tab.evaluate(_ADDRESS)
        await step(f"moving {name}", doing)
        await step(f"answer to {name}", self._tab.wait_for_function(f"{_ADDRESS} !== '{before}'", timeout=0))
        await (self._ready() if in_view else self._settled())
        self._seen.moved[name] = await self._tab.evaluate(_ADDRESS)

    async def _move_all(self) -> None:
        """Every control once, by keys: sliders, boxes, buttons and menus."""
        tab = self._tab
        for name in await tab.evaluate(_SLIDERS):
            slider = tab.locator(f"[data-slider='{name}'] input")
            box = tab.locator(f"#{name.replace('sparsity', 'with')} input")
            is_family = name.startswith("sparsity")
            if is_family:
                was_on = await box.is_checked()
                await self._changed(name.replace("sparsity", "with"), box.press("Space"), in_view=True)
                if was_on:
                    await self._pressed(box)
            if await slider.is_enabled():
                await self._changed(name, slider.press("ArrowRight"))
            if is_family and not was_on:
                await self._pressed(box)
        await self._changed("phase", tab.locator("#phase input").first.press("ArrowRight"))
        for name, chosen in _MENUS.items():
            await self._changed(name, self._choose(name, chosen))

    async def _pressed(self, box: Any) -> None:
        """Back as it was: few families at a time are quick to compare."""
        await self._changed("", box.press("Space"), in_view=True)
        del self._seen.moved[""]

    async def _choose(self, name: str, chosen: str) -> None:
        """A menu by keys: open it, search, take what is found."""
        await self._tab.locator(f"#{name}").focus()
        await self._tab.keyboard.press("Enter")
        await self._tab.locator(".dash-dropdown-search").fill(chosen)
        await self._tab.get_by_role("option", name=chosen, exact=True).first.click()

    async def _save(self) -> None:
        seen, tab = self._seen, self._tab
        seen.table = await tab.evaluate(_TABLE)
        seen.places.append(await tab.evaluate(_PLACES))
        seen.line = await tab.locator("#line-compare").text_content()
        for name in ("csv", "page"):
            async with tab.expect_download(timeout=0) as expected:
                await tab.locator(f"#save-{name}").press("Enter")
            file = self._folder / name
            await step(f"saving {name}", (await expected.value).save_as(file))
            setattr(seen, name, file.read_text(encoding="utf-8"))

    async def _look(self) -> None:
        for width in WIDTHS:
            await self._tab.set_viewport_size({"width": width, "height": 900})
            await self._settled()
            await self._tab.wait_for_timeout(300)  # figures follow the window a little later
            self._seen.overflow[width] = await self._tab.evaluate(_OVERFLOW)
        for theme in ("dark", "light"):
            await self._tab.emulate_media(color_scheme=theme)
            await self._tab.wait_for_timeout(500)
            self._seen.looks[theme] = await self._tab.evaluate(_LOOKS)

    async def _drop(self) -> None:
        """A config that is none, and one that is."""
        place = self._tab.locator("#drop input[type=file]")
        wrong, right = self._folder / "wrong.json", self._folder / "tiny.json"
        wrong.write_text("[]", encoding="utf-8")
        right.write_text(json.dumps(CONFIG), encoding="utf-8")
        await place.set_input_files(wrong)
        said = "!document.getElementById('problem').hidden"
        await step("a wrong config", self._tab.wait_for_function(said, timeout=0))
        self._seen.refused = await self._tab.locator("#problem").text_content()
        await self._changed("drop", place.set_input_files(right))
        self._seen.own = await self._tab.locator("#line-compare").text_content()


_MENUS = {
    "losses": "static-nk",
    "gpu": "a100-sxm-80gb",
    "versus": "h200-sxm",
    "engine": "sglang",
    "dtype": "w4a16",
    "kv_dtype": "fp8",
    "model": "qwen3-8b",
}
"""What each menu is set to."""
