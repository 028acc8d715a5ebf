"""The verdict on a frontier: who leads at which loss of quality, and what to take for an allowed one.

Notes say how far to trust its speedups and its losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.notes import frame_grade, trust_notes
from infersim.report.core.verdict import Verdict, as_sentence, enumeration
from infersim.report.frontier.labels import (
    SCENARIO,
    group_label,
    own_axes,
    percent,
    scenario_label,
    shown_points,
)
from infersim.report.frontier.workloads import workload_sentences
from infersim.simulation.frontier.bands import best_within, leading_bands
from infersim.simulation.frontier.search import Frontier

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


MAX_SENTENCES = 8
"""Frontiers that are told in words; the others are in the tables."""


def frontier_verdict(found: Frontier, max_loss_percent: float | None = None) -> Verdict:
    """Judge a frontier; with `max_loss_percent` the best choice within it comes first."""
    points = shown_points(found.points)
    varying = {key for key in SCENARIO if points[key].nunique() > 1}
    sentences = [] if max_loss_percent is None else list(_choices(points, max_loss_percent, varying))
    sentences += list(_leaders(points, varying))
    shown, left = sentences[:MAX_SENTENCES], len(sentences) - MAX_SENTENCES
    if left > 0:
        shown.append(f"{left} more frontiers are in the tables")
    shown += list(workload_sentences(found))
    return Verdict(
        sentences=tuple(map(as_sentence, shown)), notes=frontier_notes(found), grade=frame_grade(points)
    )


def _choices(points: pd.DataFrame, allowed: float, varying: set[str]) -> Iterator[str]:
    missed = []
    found = _by_families(best_within(points, allowed), points)
    yield from _by_recovery(found[found["plan"] != ""], allowed, varying)
    for _, row in found.iterrows():
        scenario = scenario_label(row, varying)
        within = f"at most {percent(allowed)} loss{f', {scenario}' if scenario else ''}, with "
        within += group_label(row["regime"], row["axis"])
        if not row["plan"]:
            where = ", ".join(filter(None, (scenario, group_label(row["regime"], row["axis"]))))
            missed.append(f"{where}{_between(row)}")
            continue
        predicted = rounding.speedup_between(row["predicted"], row["predicted_lower"], row["predicted_upper"])
        yield (
            f"{within}: {row['plan']} ({row['method']}) is the fastest, predicted {predicted} for "
            f"{percent(row['quality_loss_percent'])} lost{_between(row)}"
        )
    if missed:
        yield (
            f"no stated point that fits into memory loses at most {percent(allowed)} and is faster than dense"
            f" with {'; '.join(missed)}"
        )


def _by_recovery(found: pd.DataFrame, allowed: float, varying: set[str]) -> Iterator[str]:
    """Of each scenario with several answers all of them at once, the fastest first."""
    for _, rows in found.groupby(list(SCENARIO), sort=False, dropna=False):
        if len(rows) > 1:
            scenario = scenario_label(rows.iloc[0], varying)
            choices = [
                f"{row['plan']}, {rounding.speedup(row['predicted'])}, with "
                f"{group_label(row['regime'], row['axis'])}"
                for _, row in rows.sort_values("predicted", ascending=False, kind="stable").iterrows()
            ]
            yield (
                f"at most {percent(allowed)} loss{f', {scenario}' if scenario else ''}: it depends on what "
                f"is trained after pruning and on the task. {'; '.join(choices)}"
            )


def _between(row: pd.Series) -> str:
    if not row["between_predicted"] > row["predicted"] or math.isnan(row["between_sparsity"]):
        return ""
    return (
        f"; on the straight line between stated points, {row['between_family']} at "
        f"{rounding.share(row['between_sparsity'])} would be {rounding.speedup(row['between_predicted'])}"
    )


def _leaders(points: pd.DataFrame, varying: set[str]) -> Iterator[str]:
    """One sentence for each frontier of several families: who leads from which loss on."""
    bands = leading_bands(points)
    if bands.empty:
        yield "no stated point is faster than the dense model"
        return
    counted = points.groupby([*SCENARIO, "regime", "axis"], sort=False)["family"].nunique()
    several = {key for key, families in counted.items() if families > 1} or set(counted.index)
    ordered = _by_families(bands, points)
    for key, rows in ordered.groupby([*SCENARIO, "regime", "axis"], sort=False):
        if key in several:
            scenario = scenario_label(rows.iloc[0], varying)
            where = ", ".join(filter(None, (scenario, group_label(str(key[-2]), str(key[-1])))))
            led = [
                f"{row['family']} from {percent(row['loss_low'])} ({rounding.speedup(row['speedup'])})"
                for _, row in rows.iterrows()
            ]
            yield f"with {where}, the fastest by the quality lost: {enumeration(led)}"


def _by_families(rows: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Frontiers of many families first, within their scenario."""
    keys = [*SCENARIO, "regime", "axis"]
    counted = points.groupby(keys, sort=False)["family"].nunique().rename("_families").reset_index()
    ordered = rows.merge(counted, on=keys, how="left")
    ordered["_place"] = ordered.groupby(list(SCENARIO), sort=False).ngroup()
    return ordered.sort_values(["_place", "_families"], ascending=[True, False], kind="stable")
