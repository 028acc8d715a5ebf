"""The built site: strict, whole, without a network; readable on desk and phone, in light and dark."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from _generate.pages import DOCS
from tests.docs.headless import Opened, open_pages

pytestmark = pytest.mark.slow

BUILD_LIMIT_S = 120
LOADING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""Attributes that make a browser fetch something; `link` only where its `rel` does."""

FETCHED_RELS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch"}
WIDTHS = {"desk": 1280, "phone": 390}


class _Page(HTMLParser):
    """What a page loads, where it links to, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif LOADING.get(tag) in said and (tag != "link" or set(said.get("rel", "").split()) & FETCHED_RELS):
            self.loads.append(said[LOADING[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly; skipped where the tools of the extra `docs` are missing."""
    if any(
        importlib.util.find_spec(name) is None
        for name in ("mkdocs", "material", "mkdocstrings", "latex2mathml")
    ):
        pytest.skip("the site's tools are not installed: pip install 'infersim[docs]'")
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=DOCS.parent,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "HTTPS_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_docs_is_built(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix(".html")
        built = name.with_name("index.html") if page.name == "README.md" else name
        assert (site / built).is_file(), page


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        for address in page.loads:
            parts = urlsplit(address)
            assert parts.scheme in ("", "data"), f"{path.name}: {address}"
            assert parts.netloc == "", f"{path.name}: {address}"
            if parts.scheme == "":
                assert _target(site, path, parts.path).is_file(), f"{path.name}: {address}"
    for style in site.rglob("*.css"):
        found = re.findall(r"@import|url\(\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8"))
        assert found == [], style.name


def test_what_is_loaded_is_seen() -> None:
    faulty = """<link rel="stylesheet" href="//cdn.example/a.css"><link rel="canonical" href="https://b.example">
        <script src="https://cdn.example/c.js"></script><img src="d.png"><a href="e.html#f">g</a>"""
    page = _Page(faulty)
    assert page.loads == ["//cdn.example/a.css", "https://cdn.example/c.js", "d.png"]
    assert page.links == ["e.html#f"]


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # shown at any address, its links start from the root of a server
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = _target(site, path, parts.path)
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.name}: {link}"


def test_formulas_became_mathml(site: Path) -> None:
    text = (site / "cost-model.html").read_text(encoding="utf-8")
    assert text.count("<math") > 50
    assert "arithmatex" not in text
    assert "\\mathtt" not in text


def _target(site: Path, page: Path, path: str) -> Path:
    if not path:
        return page
    found = site / path.lstrip("/") if path.startswith("/") else (page.parent / unquote(path)).resolve()
    return found / "index.html" if found.is_dir() else found


SHOWN = ("index.html?q=attainment", "commands/compare.html", "cost-model.html", "published-speedups.html")

_PROBE = """<script>
const seen = { page: location.pathname.split("/").pop(), errors: [] };
addEventListener("error", (event) => seen.errors.push(event.message));
addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
addEventListener("load", () => setTimeout(() => {
  seen.width = innerWidth;
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.scheme = document.body.dataset.mdColorScheme;
  seen.hits = document.querySelectorAll(".md-search-result__item").length;
  const sentences = [...document.querySelectorAll(".sentence")];
  seen.cut = sentences.filter((sentence) => sentence.scrollWidth > sentence.clientWidth + 1).length;
  seen.sentences = sentences.length;
  parent.postMessage(seen, "*");
}, 2000));
</script>"""

_HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
{frames}
<script>
const all = [];
addEventListener("message", (event) => {{
  if (event.source !== window && event.data.page) all.push(event.data);
}});
</script>
"""


@pytest.fixture(scope="module")
def probed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the site whose shown pages tell a frame around them what they look like."""
    copy = tmp_path_factory.mktemp("probed") / "site"
    shutil.copytree(site, copy)
    for shown in SHOWN:
        page = copy / shown.partition("?")[0]
        page.write_text(
            page.read_text(encoding="utf-8").replace("<head>", f"<head>{_PROBE}", 1), encoding="utf-8"
        )
    return copy


@pytest.fixture(scope="module")
def opened(probed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, bool], Opened]:
    """The shown pages by width and darkness, in one start of the browser."""
    harnesses = {}
    for width in WIDTHS.values():
        frames = "".join(
            f'<iframe src="{shown}" style="border: 0; width: {width}px; height: 900px"></iframe>'
            for shown in SHOWN
        )
        harnesses[width] = probed / f"harness-{width}.html"
        harnesses[width].write_text(_HARNESS.format(frames=frames), encoding="utf-8")
    return open_pages(harnesses, frames=len(SHOWN), folder=tmp_path_factory.mktemp("browser"))


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_pages_open_in_a_browser(opened: dict[tuple[int, bool], Opened], width: int, dark: bool) -> None:
    found = opened[width, dark]
    assert found.console == []
    seen = {view["page"]: view for view in found.told}
    assert set(seen) == {shown.partition("?")[0].rpartition("/")[2] for shown in SHOWN}
    for view in seen.values():
        assert view["errors"] == [], view
        assert view["width"] == width, view
        assert view["overflow"] <= 0, view
        assert view["scheme"] == ("slate" if dark else "default"), view
        assert view["cut"] == 0, view
    assert seen["compare.html"]["sentences"] > 3
    assert seen["index.html"]["hits"] > 3, "search must work from a disk"
