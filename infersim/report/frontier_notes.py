"""Notes beside the verdict on a frontier: how far to trust its speedups and its losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.report.frontier_labels import own_axes, percent, shown_points
from infersim.report.notes import trust_notes
from infersim.report.verdict import enumeration
from infersim.simulation.frontier import Frontier

if TYPE_CHECKING:
    import pandas as pd


def frontier_notes(found: Frontier) -> tuple[str, ...]:
    """What the points, their sources and the model's calibration leave open."""
    return tuple(_notes(found))


def _notes(found: Frontier) -> Iterator[str]:
    points = found.points
    yield from trust_notes(points)
    checkpoints = sorted({str(name) for name in shown_points(points)["checkpoint"] if name})
    asked = str(points["model"].iloc[0])
    if (model := str(points["quality_model"].iloc[0])) != asked:
        yield f"Quality is that of {model}, speed that of {asked}: a sparsity costs each model another loss."
    elif len(checkpoints) > 1:
        yield f"Quality was measured on several checkpoints: {enumeration(checkpoints)}."
    suites = shown_points(points).groupby(["regime", "axis"])["metric"].nunique()
    if (suites > 1).any():
        yield "Losses are relative, and sources differ in tasks and protocol: --source takes one alone."
    if points["loss_uncertainty_percent"].isna().all():
        yield "Sources state no uncertainty of quality: losses are as printed, only speedups have intervals."
    for axis, apart in points.groupby(own_axes(points), sort=False):
        if axis and len(apart) < len(points):
            yield (
                f"{len(apart)} points of {axis} depend on the length of their task and stand "
                "apart: on the page, and alone with --task long-context."
            )
    yield from _task_notes(points)
    if not points["fits_memory"].all():
        yield "Plans that do not fit into memory are left out of frontiers."


def _task_notes(points: pd.DataFrame) -> Iterator[str]:
    """Where a table knows one plan on several types of tasks: how much more the hardest loses."""
    one = points.drop_duplicates(["point"])
    one = one[one["axis"].isin(["zero-shot", "knowledge", "reasoning"])]
    for (plan, source, checkpoint), rows in one.groupby(["plan", "source", "checkpoint"], sort=False):
        losses = rows.groupby("axis", sort=False)["quality_loss_percent"].min()
        if (
            len(losses) > 1
            and losses.max() == one.loc[one["axis"] == losses.idxmax(), "quality_loss_percent"].max()
        ):
            told = [f"{percent(loss)} on {axis} tasks" for axis, loss in losses.sort_values().items()]
            yield f"Types of tasks lose unequally: {plan} costs {enumeration(told)} ({source}, {checkpoint})."
            return
