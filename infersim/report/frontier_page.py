"""The page of a frontier: the verdict, a figure for each frontier of each scenario, and all points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.chart import Chart, Panel
from infersim.report.figures.frontier import frontier_figure
from infersim.report.findings import frontier_finding
from infersim.report.frontier_labels import SCENARIO, group_label, own_axes, scenario_label
from infersim.report.frontier_tables import frontier_tables, points_table
from infersim.report.frontier_verdict import frontier_verdict
from infersim.report.page import Page, View
from infersim.report.setting import setting_text
from infersim.report.verdict import Verdict
from infersim.simulation.frontier import Frontier

if TYPE_CHECKING:
    import pandas as pd

GLOSSARY = {
    "quality lost": "Relative to the dense model: what an accuracy loses, what a perplexity adds.",
    "recovery": "What was trained after pruning. Points of different recovery never share a frontier.",
    "frontier": "No other stated point loses less and gains more; the dense model is a point too.",
    "not told apart": "Another point is better, but not beyond the uncertainty of the two speedups.",
    "dominated": "Another point loses no more and is surely faster; drawn hollow.",
    "between stated points": "Straight lines between points of one method; no source states them.",
    "gain per point": "Percent of speed gained for each percent of quality lost.",
    "memory-bound": "Reading weights and KV cache takes longer than computing with them, at the GPU's peaks. "
    "A decode step reads all weights for one token of each sequence: it is memory-bound in small "
    "batches, and a plan gains by the bytes it saves. Prefill uses each weight for many tokens: there it "
    "gains by the FLOPs.",
}


def frontier_page(found: Frontier, max_loss_percent: float | None = None) -> Page:
    """The page's content."""
    points = found.points
    left_out = tuple(f"Left out: {reason}." for reason in found.left_out)
    verdict = frontier_verdict(found, max_loss_percent)
    return Page(
        title=f"Speed against quality: {points['model'].iloc[0]} on {', '.join(points['gpu'].unique())}",
        setting=setting_text(found.execution),
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
