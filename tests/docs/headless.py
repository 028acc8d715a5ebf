"""Opens pages of the site in headless Chromium, and returns what they tell the frame around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browsing import browse, step

HEIGHT = 4000


@dataclass(slots=True, kw_only=True)
class Opened:
    """What the shown pages told; what the console said."""

    told: list[dict[str, Any]] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


def open_pages(harnesses: dict[int, Path], *, frames: int, folder: Path) -> dict[tuple[int, bool], Opened]:
    """Open the harness of each width, in light and dark, until `frames` pages have told."""

    async def visit(browser: Any, _: Path) -> dict[tuple[int, bool], Opened]:
        return {
            (width, dark): await _open(browser, harness, width=width, dark=dark, frames=frames)
            for width, harness in harnesses.items()
            for dark in (False, True)
        }

    return browse(visit, folder)


async def _open(browser: Any, harness: Path, *, width: int, dark: bool, frames: int) -> Opened:
    name = f"{harness.name}, {'dark' if dark else 'light'}"
    viewport = {"width": max(width, 600), "height": HEIGHT}
    starting = browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light")
    context = await step(f"{name}: a new profile", starting)
    tab = await step(f"{name}: a new tab", context.new_page())
    opened = Opened()
    tab.on("console", lambda message: opened.console.append(message.text))
    tab.on("pageerror", lambda error: opened.console.append(str(error)))
    await step(f"{name}: loading", tab.goto(harness.as_uri(), timeout=0))
    waiting = tab.wait_for_function(f"all.length >= {frames}", timeout=0)
    await step(f"{name}: what its pages tell", waiting)
    opened.told = await step(f"{name}: reading", tab.evaluate("all"))
    await step(f"{name}: its end", context.close())
    return opened
