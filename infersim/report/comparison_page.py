"""The page of a comparison: what it says, draws and tabulates, scenario by scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infersim.report.chart import Chart, Panel
from infersim.report.comparison_report import ComparisonReport
from infersim.report.figures.loss_waterfall import loss_waterfall
from infersim.report.figures.roofline import roofline
from infersim.report.figures.speedup_curves import family_curves, highest, speedup_curve
from infersim.report.figures.time_by_op import time_by_op
from infersim.report.inventories import gpus_table
from infersim.report.op_frames import DENSE
from infersim.report.page import Page, View, write_page
from infersim.report.scenarios import SCENARIO_KEYS, label, varying_keys
from infersim.report.tables import compare_table, loss_table, ops_table, parts_table
from infersim.report.verdict import Verdict
from infersim.report.verdicts import compare_verdict

if TYPE_CHECKING:
    import pandas as pd

GLOSSARY = {
    "flops": "The ratio of FLOPs in the ops that a plan targets: what papers quote.",
    "bound": "Floor of the dense model over floor of the plan, a floor being the time no kernel can beat. "
    "Being a ratio of floors, it may be exceeded.",
    "ceiling": "Dense latency over the plan's floor: what no implementation of the plan can exceed.",
    "predicted": "The speedup to expect, with the interval that holds it in 80 % of cases.",
    "attainment": "Realised over bound; realised is what was measured in this scenario, or else predicted.",
    "static-m equivalent": "The part of the layers whose removal would be predicted as fast.",
    "unpruned work": "FLOPs of the ops that the plan leaves alone.",
    "memory floor": "Weights and KV cache have to be read, whatever the FLOPs; a gain if they shrink more.",
    "extra work": "Ops that the family adds: routers, gather, scatter, masks, residual maps.",
    "kernel efficiency": "Pruned kernels are farther from their floors than dense ones, or nearer.",
    "launch": "Time to launch kernels, which pruning does not shrink.",
    "unexplained": "Measured over predicted.",
}


def write_compare_page(path: str | Path, report: ComparisonReport) -> None:
    """Write the page of `report`; raises InvalidValueError for a path that cannot be written."""
    write_page(path, compare_page(report))


def compare_page(report: ComparisonReport) -> Page:
    """The page's content."""
    frame = report.comparison
    verdict = compare_verdict(frame)
    models = " and ".join(frame["model"].unique())
    gpus = list(report.profiles)
    return Page(
        title=f"{models}, pruned, on {', '.join(gpus)}",
        setting=report.setting,
        verdict=Verdict(sentences=verdict.sentences, notes=(*verdict.notes, *_left_out(report))),
        views=tuple(_view(report, row) for _, row in report.scenarios.iterrows()),
        tables=(
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
    rows, ops, curves = (_of(frame, scenario) for frame in (report.comparison, report.ops, report.curves))
    ranked = rows.sort_values("predicted", ascending=False)
    profile = report.profiles[str(scenario["gpu"])]
    # Kernels of static-m are those of the dense model: another plan shows more.
    other = ranked[ranked["family"] != "static-m"]
    shown = (DENSE, *other["plan"].iloc[:1])
    shared_top = highest(curves)
    families = tuple(
        Panel(title=str(name), figure=speedup_curve(curve, shared_top), data=curve)
        for name, curve in curves.groupby("curve", sort=False)
    )
    together = Chart(
        name="families",
        title="Which family",
        caption="Predicted speedup of every family over the sparsity realised. Below 1 is slower than dense.",
        panels=(Panel(title="All families", figure=family_curves(curves), data=curves),),
        wide=True,
    )
    return View(
        label=label(scenario, varying_keys(report.comparison)) or "all",
        charts=(
            *((together,) if len(families) > 1 else ()),
            Chart(
                name="curves",
                title="Promised, possible, predicted",
                caption="Speedup over sparsity. Flops is what papers quote, bound the ratio of floors.",
                panels=families,
            ),
            Chart(
                name="waterfall",
                title="What eats the speedup",
                caption="From the speedup that FLOPs promise to the one that comes out, factor by factor.",
                panels=tuple(
                    Panel(title=str(row["plan"]), figure=loss_waterfall(row), data=row.to_frame().T)
                    for _, row in rows.iterrows()
                ),
            ),
            Chart(
                name="time",
                title="Time by op",
                caption="Kernel time of every op, dense and pruned, coloured by part; launches last.",
                panels=(Panel(title="Predicted time", figure=time_by_op(ops), data=ops),),
                wide=True,
            ),
            Chart(
                name="roofline",
                title=f"Roofline of {profile.title}",
                caption="Ops between memory bandwidth (slanted) and tensor peaks (flat); larger points take "
                "longer. A point may stand above the slanted roof: L2 saves traffic. The legend shows plans.",
                panels=(
                    Panel(
                        title="Intensity and pace of ops",
                        figure=roofline(ops, profile, shown),
                        data=ops,
                    ),
                ),
                wide=True,
            ),
        ),
        tables=(ops_table(ops),),
    )


def _of(frame: pd.DataFrame, scenario: pd.Series) -> pd.DataFrame:
    """The rows of one scenario."""
    keys = list(SCENARIO_KEYS)
    return frame[(frame[keys] == scenario[keys]).all(axis=1)]
