"""Opens a file in headless Chromium, and returns its DOM and what the console said."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.report.browser import chromium

HEIGHT = 4000
TIMEOUT_S = 120

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=60000",
    "--dump-dom",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The document after its scripts have run; lines of the console."""

    dom: str
    console: tuple[str, ...]


def open_page(page: Path, profile: Path, *, width: int, dark: bool) -> Opened:
    """Open a file in a window `width` pixels wide, with a browser profile of its own."""
    done = subprocess.run(
        [
            chromium(),
            *_FLAGS,
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--user-data-dir={profile}",
            f"--window-size={width},{HEIGHT}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    console = tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return Opened(dom=done.stdout, console=console)
