"""The page: one self-contained HTML file with words first, then figures, then tables.

plotly.js is inlined once, figures are JSON in the page, their data are CSV in links: nothing is fetched, so
the file can be mailed or archived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from infersim.report.chart import Chart, Panel
from infersim.report.html import csv_link, paragraphs, table_html, text, verdict_html
from infersim.report.legend import legend_entries, legend_html
from infersim.report.table import Table
from infersim.report.verdict import Verdict
from infersim.report.writing import write_whole

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What the page shows of one scenario; `label` is how the reader chooses it."""

    label: str
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """A page's content; `glossary` explains the words it uses."""

    title: str
    setting: str
    verdict: Verdict
    views: tuple[View, ...]
    tables: tuple[Table, ...]
    glossary: Mapping[str, str]


def write_page(path: str | Path, page: Page) -> None:
    """Write `page` whole or not at all; raises InvalidValueError for a path that cannot be written."""
    write_whole(Path(path), render_page(page))


def render_page(page: Page) -> str:
    """`page` as HTML."""
    from plotly.offline import get_plotlyjs

    figures: dict[str, go.Figure] = {}
    views = "\n".join(_view_html(view, index, figures) for index, view in enumerate(page.views))
    tables = "\n".join(table_html(table, _file_name(table.title)) for table in page.tables)
    heading = "<h2>Tables</h2>" if page.tables else ""
    body = (verdict_html(page.verdict), _picker(page.views), views, heading, tables, _glossary(page.glossary))
    assets = files("infersim.report").joinpath("assets")
    return Template(assets.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=text(page.title),
        setting=text(page.setting),
        generator=f"infersim {version('infersim')}",
        css=assets.joinpath("page.css").read_text(encoding="utf-8"),
        javascript=assets.joinpath("page.js").read_text(encoding="utf-8"),
        body="\n".join(body),
        figures=_as_json(figures),
        plotly=get_plotlyjs(),
    )


def _picker(views: Sequence[View]) -> str:
    """The choice of a scenario, where there is one."""
    if len(views) < 2:
        return ""
    options = "\n".join(
        f'<option value="{index}">{text(view.label)}</option>' for index, view in enumerate(views)
    )
    choice = f'<label for="view">Scenario</label><select id="view">\n{options}\n</select>'
    return f'<div class="view-picker">{choice}</div>'


def _view_html(view: View, index: int, figures: dict[str, go.Figure]) -> str:
    """The charts of a view; their figures are added to `figures` under the names that the HTML refers to."""
    charts = "\n".join(_chart_html(chart, f"{index}-{chart.name}", figures) for chart in view.charts)
    tables = "\n".join(table_html(table, f"{_file_name(table.title)}-{index}") for table in view.tables)
    hidden = " hidden" if index else ""
    return f'<section data-view="{index}"{hidden}>\n{charts}\n{tables}\n</section>'


def _chart_html(chart: Chart, name: str, figures: dict[str, go.Figure]) -> str:
    legend = legend_html(legend_entries([panel.figure for panel in chart.panels]))
    panels = []
    for place, panel in enumerate(chart.panels):
        key = f"{name}-{place}"
        figures[key] = panel.figure
        panels.append(_panel_html(panel, key, titled=len(chart.panels) > 1))
    head = f"<h2>{text(chart.title)}</h2>\n{paragraphs([chart.caption], 'caption')}\n{legend}"
    grid = "panels wide" if chart.wide else "panels"
    return f'<section class="chart">\n{head}\n<div class="{grid}">\n{"".join(panels)}</div>\n</section>'


def _panel_html(panel: Panel, key: str, *, titled: bool) -> str:
    name = text(panel.title)
    title = f"<h3>{name}</h3>" if titled else "<span></span>"
    height = f"height: {panel.figure.layout.height}px"
    return (
        f"<figure>\n<header>{title}{csv_link(panel.data, key)}</header>\n"
        f'<div data-figure="{key}" style="{height}" role="img" aria-label="{name}"></div>\n</figure>\n'
    )


def _glossary(glossary: Mapping[str, str]) -> str:
    entries = "\n".join(
        f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>" for word, meaning in glossary.items()
    )
    return f"<h2>How to read this</h2>\n<dl>\n{entries}\n</dl>" if glossary else ""


def _as_json(figures: Mapping[str, go.Figure]) -> str:
    """Figures by name. A `<` could end the script element that holds them, so it is written as an escape."""
    entries = (f'"{name}": {_without_legend(figure).to_json()}' for name, figure in figures.items())
    return f"{{{', '.join(entries)}}}".replace("<", "\\u003c")


def _without_legend(figure: go.Figure) -> go.Figure:
    """The page has a legend of its own."""
    return figure.update_layout(showlegend=False)


def _file_name(title: str) -> str:
    """A title as the name of a file."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split()) or "table"
