"""The page of a comparison: what it says, draws and tabulates, scenario by scenario."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infersim.pruning.families.registry import find_family
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import SCENARIO_KEYS, label, of_scenario, varying_keys
from infersim.report.html.body import View
from infersim.report.html.page import Page
from infersim.report.inventories import gpus_table
from infersim.report.speedups.by_gpus import by_gpus_charts, by_gpus_table, several_gpus
from infersim.report.speedups.charts import (
    curve_charts,
    plans_chart,
    roofline_chart,
    time_chart,
    waterfall_chart,
)
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.matrix import speedup_matrix
from infersim.report.speedups.tables import compare_table, loss_table, ops_table, parts_table
from infersim.report.speedups.verdict import compare_verdict
from infersim.simulation.speedups.resolving import DENSE

if TYPE_CHECKING:
    import pandas as pd

GLOSSARY = glossary(
    "flops",
    "bound",
    "ceiling",
    "predicted",
    "attainment",
    "static-m equivalent",
    "unpruned work",
    "memory floor",
    "extra work",
    "kernel efficiency",
    "launch",
    "communication",
    "unexplained",
)


def compare_page(report: ComparisonReport) -> Page:
    """The page's content."""
    frame = report.comparison
    verdict = compare_verdict(frame)
    models = " and ".join(frame["model"].unique())
    gpus = list(report.profiles)
    return Page(
        title=f"{models}, pruned, on {', '.join(gpus)}",
        setting=report.setting,
        verdict=replace(verdict, notes=(*verdict.notes, *_left_out(report))),
        matrix=speedup_matrix(frame),
        views=tuple(_view(report, row) for _, row in report.scenarios.iterrows()),
        tables=(
            *((by_gpus_table(frame),) if several_gpus(frame) else ()),
            compare_table(frame),
            loss_table(frame),
            parts_table(frame),
            gpus_table(list(report.profiles.values())),
        ),
        glossary=GLOSSARY,
    )


def _left_out(report: ComparisonReport) -> tuple[str, ...]:
    notes = tuple(f"Left out: {reason}." for reason in report.left_out)
    scenarios = len(report.comparison[list(SCENARIO_KEYS)].drop_duplicates())
    drawn = len(report.scenarios)
    return (*notes, f"Figures show {drawn} of {scenarios} scenarios.") if drawn < scenarios else notes


def _view(report: ComparisonReport, scenario: pd.Series) -> View:
    rows, ops, curves = (
        of_scenario(frame, scenario) for frame in (report.comparison, report.ops, report.curves)
    )
    profile = report.profiles[str(scenario["gpu"])]
    return View(
        label=label(scenario, varying_keys(report.comparison)),
        charts=(
            plans_chart(rows),
            *by_gpus_charts(report.comparison, scenario),
            waterfall_chart(rows),
            *curve_charts(curves),
            time_chart(ops),
            roofline_chart(ops, profile, (DENSE, *_worth_showing(rows))),
        ),
        tables=(ops_table(ops),),
    )


def _worth_showing(rows: pd.DataFrame) -> list[str]:
    """The fastest plan that has kernels of its own."""
    families = [find_family(str(name)) for name in rows["family"]]
    own = [family is None or not family.same_kernels for family in families]
    others = rows[own].sort_values("predicted", ascending=False)
    return [str(plan) for plan in others["plan"].iloc[:1]]
