"""The charts of one scenario: figures with the words and the data that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.domain.profile import HardwareProfile
from infersim.report.figures.loss_waterfall import loss_waterfall
from infersim.report.figures.plan_speedups import plan_speedups
from infersim.report.figures.roofline import roofline
from infersim.report.figures.speedup_curves import family_curves, highest, speedup_curve
from infersim.report.figures.time_by_op import time_by_op
from infersim.report.html.body import Chart, Panel
from infersim.report.speedups.findings import (
    curves_finding,
    limits_finding,
    loss_finding,
    losses_finding,
    plans_finding,
    promise_finding,
    time_finding,
)

if TYPE_CHECKING:
    import pandas as pd


def plans_chart(rows: pd.DataFrame) -> Chart:
    """Every plan that was asked for, the fastest on top."""
    return Chart(
        name="plans",
        title="Which plan pays",
        finding=plans_finding(rows),
        caption="Flops is the speedup that papers quote, bound the ratio of rooflines. Left of the line at 1 "
        "a plan is slower than dense.",
        panels=(Panel(title="All plans", figure=plan_speedups(rows), data=rows),),
        wide=True,
    )


def curve_charts(curves: pd.DataFrame) -> tuple[Chart, ...]:
    """Speedup over sparsity: all families together, where there are several, and each alone."""
    top = highest(curves)
    alone = Chart(
        name="curves",
        title="Promised, possible, predicted",
        caption="Speedup over sparsity. Flops is what papers quote, bound the ratio of rooflines.",
        panels=tuple(
            Panel(
                title=str(name), figure=speedup_curve(curve, top), data=curve, finding=promise_finding(curve)
            )
            for name, curve in curves.groupby("curve", sort=False)
        ),
    )
    together = Chart(
        name="families",
        title="Which family",
        finding=curves_finding(curves),
        caption="Predicted speedup of every family over the sparsity realised. Below 1 is slower than dense.",
        panels=(Panel(title="All families", figure=family_curves(curves), data=curves),),
        wide=True,
    )
    return (together, alone) if len(alone.panels) > 1 else (alone,)


def waterfall_chart(rows: pd.DataFrame) -> Chart:
    """Where the speedup goes of every plan."""
    return Chart(
        name="waterfall",
        title="Where the speedup goes",
        finding=losses_finding(rows),
        caption="From the speedup that FLOPs promise to the one that comes out, factor by factor.",
        panels=tuple(
            Panel(
                title=str(row["plan"]),
                figure=loss_waterfall(row),
                data=row.to_frame().T,
                finding=loss_finding(row),
            )
            for _, row in rows.iterrows()
        ),
    )


def time_chart(ops: pd.DataFrame) -> Chart:
    """Where the time goes, op by op."""
    return Chart(
        name="time",
        title="Where the time goes",
        finding=time_finding(ops),
        caption="Kernel time of every op, coloured by part; launches last.",
        panels=(Panel(title="Predicted time by op", figure=time_by_op(ops), data=ops),),
        wide=True,
    )


def roofline_chart(ops: pd.DataFrame, profile: HardwareProfile, visible: Sequence[str]) -> Chart:
    """How near ops come to the GPU's bandwidth and peaks; plans other than those `visible` can be chosen."""
    return Chart(
        name="roofline",
        title=f"Roofline of {profile.title}",
        finding=limits_finding(ops),
        caption="Ops under memory bandwidth (slanted) and tensor peaks (flat, in TFLOP/s); larger points "
        "take longer. Where L2 saves traffic, a point may stand above the slanted roof.",
        panels=(Panel(title="Roofline", figure=roofline(ops, profile, visible), data=ops),),
        wide=True,
    )
