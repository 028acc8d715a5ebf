"""Opens a page in headless Chromium, in a frame of a given width, and reports what became of it.

The page is copied with a probe in it. The probe visits every scenario of the page, waits until its figures
are drawn, looks at the document, and posts what it saw to the frame around it, whose DOM Chromium prints.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest

HEIGHT = 4000
TIMEOUT_S = 120

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=60000",
    "--dump-dom",
)

_HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe src="page.html" style="border: 0; width: {width}px; height: {height}px"></iframe>
<pre id="seen"></pre>
<script>
addEventListener("message", (event) => {{
  document.getElementById("seen").textContent = event.data;
}});
</script>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`errors`: uncaught exceptions and console output; `views`: what `probe.js` saw of each scenario."""

    errors: tuple[str, ...]
    views: tuple[dict[str, Any], ...]


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


def see(html: str, folder: Path, *, width: int, dark: bool) -> Seen:
    """Open `html` in a frame `width` pixels wide; `folder` takes the files and the browser's profile."""
    probe = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
    head, body = html.split("<head>", 1)
    (folder / "page.html").write_text(f"{head}<head><script>{probe}</script>{body}", encoding="utf-8")
    harness = folder / "harness.html"
    harness.write_text(_HARNESS.format(width=width, height=HEIGHT), encoding="utf-8")
    colours = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    done = subprocess.run(
        [
            chromium(),
            *_FLAGS,
            colours,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={max(width, 600)},{HEIGHT}",
            harness.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"no page in {done.stdout[:500]!r}; {done.stderr[-2000:]}"
    assert found[1], f"the page never finished; {done.stderr[-2000:]}"
    seen = json.loads(unescape(found[1]))
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(errors=(*seen["errors"], *console), views=tuple(seen["views"]))
