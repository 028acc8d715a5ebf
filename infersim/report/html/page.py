"""The page: one self-contained HTML file with words first, then figures, then tables.

plotly.js of the installed package, the figures as JSON and their data as CSV are in the page, packed. The
browser unpacks them once, while the words can be read already, and draws a figure when it comes into view:
nothing is fetched, so the file can be mailed or archived.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from infersim.files.writing import write_whole
from infersim.report.core.table import Table
from infersim.report.core.verdict import Verdict
from infersim.report.figures.palette import DARK, INK, css_name, palette_css
from infersim.report.html.body import View, glossary_html, picker, tables_html, view_html
from infersim.report.html.elements import Islands, text, verdict_html
from infersim.report.html.matrix import Matrix, matrix_html
from infersim.report.html.packing import packed
from infersim.report.html.plotly_js import packed_plotly


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """A page's content; `glossary` explains the words it uses, `matrix` is the picture it opens with."""

    title: str
    setting: str
    verdict: Verdict
    views: tuple[View, ...]
    tables: tuple[Table, ...]
    glossary: Mapping[str, str]
    matrix: Matrix | None = None


def write_page(path: str | Path, page: Page) -> None:
    """Write `page` whole or not at all; raises InvalidValueError for a path that cannot be written."""
    write_whole(Path(path), render_page(page))


def render_page(page: Page) -> str:
    """`page` as HTML."""
    islands = Islands()
    views = "\n".join(view_html(view, index, islands) for index, view in enumerate(page.views))
    tables = tables_html(page.tables, islands)
    picture = "" if page.matrix is None else matrix_html(page.matrix)
    body = (
        verdict_html(page.verdict, picture),
        picker(page.views),
        views,
        tables,
        glossary_html(page.glossary),
    )
    return Template(_asset("page.html")).substitute(
        title=text(page.title),
        setting=text(page.setting),
        generator=f"infersim {version('infersim')}",
        css=f"{palette_css()}\n{_asset('page.css')}",
        javascript=f"{_asset('unpack.js')}\n{_asset('page.js')}",
        body="\n".join(body),
        figures=packed(islands.figures_json()),
        data=packed(islands.data_json()),
        colours=json.dumps({colour: css_name(colour) for colour in (*DARK, INK)}),
        plotly=packed_plotly(),
    )


def _asset(name: str) -> str:
    """A file that travels with the package."""
    return files("infersim.report").joinpath("assets", name).read_text(encoding="utf-8")
