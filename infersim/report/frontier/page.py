"""The page of a frontier: the verdict, a figure for each frontier of each scenario, and all points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from infersim.report.core import rounding
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import setting_text
from infersim.report.core.verdict import Verdict
from infersim.report.figures.frontier import frontier_figure
from infersim.report.frontier.labels import SCENARIO, group_label, own_axes, scenario_label
from infersim.report.frontier.tables import frontier_tables, points_table
from infersim.report.frontier.verdict import frontier_verdict
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page
from infersim.simulation.frontier.pareto import Standing
from infersim.simulation.frontier.search import Frontier

if TYPE_CHECKING:
    import pandas as pd


def frontier_finding(points: pd.DataFrame) -> str:
    """Of one frontier: from which to which point it leads."""
    leading = points[points["standing"] == Standing.FRONTIER].sort_values("quality_loss_percent")
    if leading.empty:
        return "No point is faster than dense"
    first, last = (
        f"{row['plan']} ({rounding.speedup(row['predicted'])}, "
        f"{rounding.quantity(row['quality_loss_percent'])} % lost)"
        for _, row in leading.iloc[[0, -1]].iterrows()
    )
    return f"The frontier is {first}" if len(leading) == 1 else f"The frontier leads from {first} to {last}"


GLOSSARY = glossary(
    "quality lost",
    "recovery",
    "frontier",
    "as good, within intervals",
    "dominated",
    "between stated points",
    "gain per point",
    "memory-bound",
)


def frontier_page(found: Frontier, max_loss_percent: float | None = None) -> Page:
    """The page's content."""
    points = found.points
    left_out = tuple(f"Left out: {reason}." for reason in found.left_out)
    verdict = frontier_verdict(found, max_loss_percent)
    return Page(
        title=f"Speed against quality: {points['model'].iloc[0]} on {', '.join(points['gpu'].unique())}",
        setting=setting_text(
            found.execution, transformer=found.model, gpus=found.points["gpus"].unique().tolist()
        ),
        verdict=Verdict(sentences=verdict.sentences, notes=(*verdict.notes, *left_out)),
        views=tuple(_views(points)),
        tables=(*frontier_tables(found), points_table(points)),
        glossary=GLOSSARY,
    )


def _views(points: pd.DataFrame) -> list[View]:
    varying = {key for key in SCENARIO if points[key].nunique() > 1}
    return [
        View(label=scenario_label(rows.iloc[0], varying) or "all", charts=tuple(_charts(rows)))
        for _, rows in points.groupby(list(SCENARIO), sort=False)
    ]


def _charts(points: pd.DataFrame) -> list[Chart]:
    """Frontiers by type of task first, those of the most families first; axes of their own after them."""
    axes = own_axes(points)
    charts = []
    for axis in ("", *filter(None, axes.unique())):
        panels = _panels(points[axes == axis])
        if panels:
            charts.append(_own_chart(axis, panels) if axis else _shared_chart(panels))
    return charts


def _shared_chart(panels: tuple[Panel, ...]) -> Chart:
    title = "Speed gained over quality lost"
    return Chart(name="weights", title=title, caption=_CAPTION, panels=panels, wide=True)


def _own_chart(axis: str, panels: tuple[Panel, ...]) -> Chart:
    title = f"{axis.capitalize()}, task by task"
    return Chart(name=axis.replace(" ", "-"), title=title, caption=_OWN_CAPTION, panels=panels, wide=False)


def _panels(points: pd.DataFrame) -> tuple[Panel, ...]:
    groups = [
        (group_label(str(regime), str(axis)), rows)
        for (regime, axis), rows in points.groupby(["regime", "axis"], sort=False)
        if rows["predicted"].notna().any()
    ]
    groups.sort(key=lambda group: (-group[1]["family"].nunique(), -len(group[1])))
    return tuple(
        Panel(title=title, figure=frontier_figure(rows), data=rows, finding=frontier_finding(rows))
        for title, rows in groups
    )


_CAPTION = (
    "Up and to the left is better. Bars are 80 % intervals of the predicted speedup; hollow points are "
    "dominated beyond them; the stepped line is what is gained at most as the allowed loss grows."
)
_OWN_CAPTION = "What is lost depends on the length of the task: each has an axis of its own."
