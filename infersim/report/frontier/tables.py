"""Tables of a frontier: its points, who leads at which loss, what the workload waits for, a paper's claim."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.frontier.labels import SCENARIO, gain, group_labels, percent, shown_points, workload
from infersim.simulation.frontier.bands import leading_bands
from infersim.simulation.frontier.pareto import Standing
from infersim.simulation.frontier.search import Frontier
from infersim.simulation.measured.table import Scope
from infersim.simulation.paper.frontier_claims import agreement
from infersim.simulation.paper.reproduction import GPU

if TYPE_CHECKING:
    import pandas as pd


def frontier_tables(found: Frontier) -> tuple[Table, ...]:
    """What people read: who leads, the points that are no worse than others, what the workloads wait for, and
    the source paper's claim where the question is the one it answers.
    """
    points = shown_points(found.points)
    bands = leading_bands(points)
    claims = agreement(points)
    claims = claims[claims["gpu"] == GPU] if not claims.empty else claims
    return (
        *((bands_table(bands),) if not bands.empty else ()),
        frontier_table(points),
        *((workloads_table(found.workloads),) if len(found.workloads) > 1 else ()),
        *((claims_table(claims),) if not claims.empty else ()),
    )


def frontier_table(points: pd.DataFrame) -> Table:
    """Points that are on a frontier or not told apart from it; the others are in the data for machines."""
    shown = points[points[["standing", "measured_standing"]].isin(_WORTH_SHOWING).any(axis=1)]
    left = len(points) - len(shown)
    dominated = "1 dominated point is" if left == 1 else f"{left} dominated points are"
    caption = f"{dominated} left out; --csv has them. {_GAIN}" if left else _GAIN
    return _points_table("Points of the frontiers", shown, caption)


def points_table(points: pd.DataFrame) -> Table:
    """All points, dominated ones and sparse attention too."""
    return _points_table("All points", points, _GAIN)


def _points_table(title: str, points: pd.DataFrame, caption: str) -> Table:
    shown = _ordered(points, "quality_loss_percent")
    measured = Column(heading="measured", keys=("measured", "measured_scope"), text=_measured)
    return Table(
        title=title,
        frame=shown,
        columns=(
            text_column("plan", "plan"),
            text_column("method", "method"),
            number_column("quality\nlost", "quality_loss_percent", percent),
            Column(
                heading="predicted\n(80 %)",
                keys=("predicted", "predicted_lower", "predicted_upper"),
                text=_speedup_between,
            ),
            *((measured,) if shown["measured"].notna().any() else ()),
            number_column("gain per\npoint", "gain_per_point", gain, detail=2),
            Column(heading="standing", keys=("standing",), text=_standing, numeric=False),
            *((text_column("quality from", "source"),) if shown["source"].nunique() > 1 else ()),
        ),
        labels=group_labels(shown),
        caption=caption,
    )


def bands_table(bands: pd.DataFrame) -> Table:
    """Who leads from which loss on."""
    ordered = _ordered(bands, "loss_low")
    return Table(
        title="Who leads at which loss",
        frame=ordered,
        columns=(
            Column(heading="quality lost", keys=("loss_low", "loss_high"), text=_span, numeric=False),
            Column(heading="leads", keys=("plan", "plan_high", "family"), text=_from_to, numeric=False),
            Column(heading="speedup\n(80 %)", keys=("speedup", "lower", "upper"), text=_speedup_between),
            Column(heading="up to", keys=("speedup", "speedup_high"), text=_up_to),
            number_column("gain per\npoint", "gain_per_point", gain, detail=2),
            text_column("as good, within intervals", "rivals", detail=1),
        ),
        labels=group_labels(ordered),
        caption="From stated points alone: a family leads from its point's loss until a faster point comes.",
    )


def workloads_table(workloads: pd.DataFrame) -> Table:
    """What the dense model spends its time on in each scenario."""
    return Table(
        title="What the dense model waits for",
        frame=workloads,
        columns=(
            Column(
                heading="workload",
                keys=("request", "phase", "batch", "context"),
                text=workload,
                numeric=False,
            ),
            *((text_column("GPU", "gpu"),) if workloads["gpu"].nunique() > 1 else ()),
            number_column("ms", "dense_ms", rounding.quantity),
            number_column("in decode", "decode_share", rounding.share),
            number_column("memory-bound", "memory_bound_share", rounding.share),
            number_column("in block\nlinears", "weight_share", rounding.share),
        ),
        caption="Memory-bound: reading and writing takes longer than computing, at the GPU's peaks.",
    )


def claims_table(agreement: pd.DataFrame) -> Table:
    """The source paper's bands beside ours, by regime of recovery."""
    return Table(
        title="Beside the claim of Beyond FLOPs (arXiv:2606.09080): who leads in prefill",
        frame=agreement,
        columns=(
            Column(heading="quality lost", keys=("loss_low", "loss_high"), text=_span, numeric=False),
            text_column("claimed", "claimed"),
            text_column("speedups", "basis"),
            Column(
                heading="stated points",
                keys=(
                    "stated_share",
                    "stated_leader",
                    "stated_leader_share",
                    "stated_open",
                    "claimed",
                    "claimed_known",
                ),
                text=judged,
                numeric=False,
            ),
            Column(
                heading="with straight lines between",
                keys=(
                    "between_share",
                    "between_leader",
                    "between_leader_share",
                    "between_open",
                    "claimed",
                    "claimed_known",
                ),
                text=judged,
                numeric=False,
            ),
        ),
        labels=tuple(agreement["regime"]),
        caption="Shares of the band. Measured: the paper's means over scenarios that it does not state.",
    )


def judged(
    share: float, leader: str, leader_share: float, undecided: float, claimed: str, known: bool
) -> str:
    """Whether the claimed family leads its band, who does if not, and how much of the band is open."""
    hole = f"; {rounding.share(undecided)} open" if 0 < undecided < 1 else ""
    if undecided == 1:
        return "open: no point is so good" if known else f"no point of {claimed}"
    if share >= 1 - undecided - 1e-9:  # shares of a grid: their sum is rounded
        return f"agrees{hole}"
    other = f"{leader} leads {rounding.share(leader_share)}"
    if share > 0:
        return (
            f"partly: {rounding.share(share)}{hole}"
            if leader == claimed
            else f"{rounding.share(share)}, {other}{hole}"
        )
    absent = "" if known else f", no point of {claimed}"
    return f"no: {other}{hole}{absent}"


_GAIN = "Gain per point: percent of speed for each percent of quality."

_WORTH_SHOWING = (Standing.FRONTIER, Standing.NOT_TOLD_APART)


def _ordered(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows of one frontier together, by rising loss; frontiers of many families first."""
    keys = [*SCENARIO, "regime", "axis"]
    families = frame.groupby(keys, sort=False)["family"].transform("nunique")
    places = frame.groupby([*SCENARIO], sort=False).ngroup()
    group = frame.groupby(keys, sort=False).ngroup()
    ordered = frame.assign(_place=places, _families=-families, _group=group)
    ordered = ordered.sort_values(["_place", "_families", "_group", by], kind="stable")
    return ordered.drop(columns=["_place", "_families", "_group"])


def _speedup_between(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return rounding.UNKNOWN
    return rounding.speedup(value) if math.isnan(low) else rounding.speedup_between(value, low, high)


def _measured(value: float, scope: str) -> str:
    mark = "" if scope in ("", Scope.POINT) else f" {scope.replace('_', '-')}"
    return f"{rounding.speedup(value)}{mark}"


def _from_to(plan: str, plan_high: str, family: str) -> str:
    """`static-m 12.5 %`, or with what takes over inside its band: `static-m 12.5 % to 25 %`."""
    return plan if plan == plan_high else f"{plan} to {plan_high.removeprefix(f'{family} ')}"


def _up_to(speedup: float, speedup_high: float) -> str:
    """The speedup at the end of a band, where it is another than at its start."""
    return "" if speedup == speedup_high else rounding.speedup(speedup_high)


def _standing(standing: str) -> str:
    if standing == Standing.NOT_TOLD_APART:
        return "as good"
    return standing or "measured only"


def _span(low: float, high: float) -> str:
    return f"from {percent(low)}" if math.isinf(high) else f"{percent(low)[:-2]}–{percent(high)}"
