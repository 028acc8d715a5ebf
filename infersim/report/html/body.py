"""The views of a page as HTML: charts with their legends, figures with links to their data, tables.

A chart is one or several panels with a shared legend, each with the data it was drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infersim.report.core.table import Table
from infersim.report.html.elements import Islands, csv_link, file_name, paragraphs, table_html, text
from infersim.report.html.legend import legend_entries, legend_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import plotly.graph_objects as go

    from infersim.report.core.table import Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One figure; `data` is what the page offers beside it as CSV, `finding` what it shows, in words."""

    title: str
    figure: go.Figure
    data: pd.DataFrame
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Panels that show the same of several things; `wide` ones stand below each other.

    `finding` is what they show, in a sentence; `caption` says how to read them.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    wide: bool = False
    finding: str = ""


_IMAGES = ("png", "svg")


def picker(views: Sequence[View]) -> str:
    """The choice of a scenario, where there is one."""
    if len(views) < 2:
        return ""
    options = "\n".join(
        f'<option value="{index}">{text(view.label)}</option>' for index, view in enumerate(views)
    )
    choice = f'<label for="view">Scenario</label><select id="view">\n{options}\n</select>'
    return f'<div class="view-picker">{choice}</div>'


def view_html(view: View, index: int, islands: Islands) -> str:
    """The charts and tables of a view; all but the first are hidden until they are chosen."""
    charts = "\n".join(_chart_html(chart, f"{index}-{chart.name}", islands) for chart in view.charts)
    hidden = " hidden" if index else ""
    tables = tables_html(view.tables, islands, heading="Behind the figures", ending=f"-{index}")
    return f'<div data-view="{index}"{hidden}>\n{charts}\n{tables}\n</div>'


def tables_html(
    tables: Sequence[Table], islands: Islands, *, heading: str = "Tables", ending: str = ""
) -> str:
    """A section of tables; the names of their files get an `ending`."""
    if not tables:
        return ""
    shown = "\n".join(table_html(table, f"{file_name(table.title)}{ending}", islands) for table in tables)
    return f'<section class="tables">\n<h2>{heading}</h2>\n{shown}\n</section>'


def glossary_html(glossary: Mapping[str, str]) -> str:
    """The words of the page and what they mean."""
    entries = "\n".join(
        f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>" for word, meaning in glossary.items()
    )
    if not entries:
        return ""
    return f'<section class="glossary">\n<h2>How to read this</h2>\n<dl>\n{entries}\n</dl>\n</section>'


def _chart_html(chart: Chart, name: str, islands: Islands) -> str:
    legend = legend_html(legend_entries([panel.figure for panel in chart.panels]))
    several = len(chart.panels) > 1
    panels = "".join(
        _panel_html(panel, chart, f"{name}-{place}", islands, titled=several)
        for place, panel in enumerate(chart.panels)
    )
    head = (
        f"<h2>{text(chart.title)}</h2>\n{paragraphs([chart.finding], 'finding')}\n"
        f"{paragraphs([chart.caption], 'caption')}\n{legend}"
    )
    grid = "panels wide" if chart.wide or not several else "panels"
    css_class = "chart" if several else "chart single"
    return (
        f'<section class="{css_class}">\n<div class="head">\n{head}\n</div>\n'
        f'<div class="{grid}">\n{panels}</div>\n</section>'
    )


def _panel_html(panel: Panel, chart: Chart, key: str, islands: Islands, *, titled: bool) -> str:
    """A figure with its title and finding, and links to its data and to pictures of it."""
    islands.add_figure(key, panel.figure)
    title = f"<h3>{text(panel.title)}</h3>" if titled else "<span></span>"
    images = "\n".join(
        f'<button type="button" data-image="{kind}" aria-label="Save {key} as {kind.upper()}">'
        f"{kind.upper()}</button>"
        for kind in _IMAGES
    )
    finding = f'<p class="finding">{text(panel.finding)}</p>\n' if titled and panel.finding else ""
    return (
        f'<figure>\n<header>{title}<span class="files">{csv_link(panel.data, key, islands)}\n{images}'
        f'</span></header>\n{finding}<div data-figure="{key}" data-title="{text(full_title(panel, chart))}" '
        f'style="height: {panel.figure.layout.height}px" role="img" '
        f'aria-label="{text(alternative(panel, chart))}"></div>\n</figure>\n'
    )


def full_title(panel: Panel, chart: Chart) -> str:
    """What a picture of the figure is headed, away from the page."""
    return f"{chart.title}: {panel.title}" if len(chart.panels) > 1 else chart.title


def alternative(panel: Panel, chart: Chart) -> str:
    """The figure in words, for who cannot see it: what it draws over what, and what it shows."""
    axes = (panel.figure.layout.yaxis.title.text, panel.figure.layout.xaxis.title.text)
    drawn = " over ".join(title for title in axes if title)
    series = [entry.group for entry in legend_entries([panel.figure])]
    shown = f"{drawn}: {', '.join(series)}" if series else drawn
    finding = panel.finding or chart.finding
    sentences = (full_title(panel, chart), shown, finding, "The CSV beside it holds the numbers")
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What the page shows of one scenario; `label` is how the reader chooses it."""

    label: str
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...] = ()
