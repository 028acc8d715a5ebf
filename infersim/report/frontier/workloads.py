"""Why frontiers of several workloads differ: what each waits for, and which plans gain or lose by it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.verdict import enumeration
from infersim.report.frontier.labels import SCENARIO, shown_points, workload
from infersim.simulation.frontier.pareto import Standing
from infersim.simulation.frontier.search import Frontier

if TYPE_CHECKING:
    import pandas as pd

MEMORY_BOUND = 0.5
"""A workload that waits for memory longer than this share of its time is called memory-bound."""

SHOWN_CHANGES = 3
"""Plans whose change from one workload to another is told."""

NO_CHANGE = 0.01
"""Speedups nearer than this are printed alike."""


def workload_sentences(found: Frontier) -> Iterator[str]:
    """Why frontiers of several workloads differ: what each waits for, and which plans change the most."""
    for gpu, rows in found.workloads.groupby("gpu", sort=False):
        if len(rows) < 2:
            continue
        first = rows.iloc[0]
        where = f" on {gpu}" if found.workloads["gpu"].nunique() > 1 else ""
        yield f"{_name(first)}{where} {_waits(first)}"
        for _, other in rows.iloc[1:].iterrows():
            why = _consequence(first, other)
            yield f"{_name(other)}{where} {_waits(other)}{why}{_changes(found.points, first, other)}"


def _name(row: pd.Series) -> str:
    return workload(row["request"], row["phase"], row["batch"], row["context"])


def _waits(row: pd.Series) -> str:
    memory = f"waits for memory {rounding.share(row['memory_bound_share'])} of its time"
    if not row["request"]:
        return memory
    return f"spends {rounding.share(row['decode_share'])} of its time in decode and {memory}"


def _consequence(first: pd.Series, other: pd.Series) -> str:
    bound = [bool(row["memory_bound_share"] > MEMORY_BOUND) for row in (first, other)]
    if bound[0] == bound[1]:
        return ""
    if not bound[1]:
        return ": not memory but computing decides there, and a plan gains by the FLOPs it saves"
    read = "weights" if other["weight_share"] > MEMORY_BOUND else "the KV cache more than weights"
    return (
        f": decode is memory-bound, each step reads {read} for one token of each sequence, so a plan gains "
        "by the bytes it saves and not by its FLOPs"
    )


def _changes(points: pd.DataFrame, first: pd.Series, other: pd.Series) -> str:
    """The plans whose speedup changes the most between two workloads, one for each family; and those that
    are on a frontier in one of them alone.
    """
    sides = [_of_scenario(shown_points(points), row) for row in (first, other)]
    one, two = (side.drop_duplicates("plan").set_index("plan") for side in sides)
    both = one.join(two[list(_TOLD)].add_suffix("_other"), how="inner")
    both = both[both["predicted"].notna()]
    change = (both["predicted_other"] / both["predicted"]).apply(math.log)
    order = change.abs().sort_values(ascending=False, kind="stable").index
    largest = both.loc[order].drop_duplicates("family").head(SHOWN_CHANGES)
    told = [
        f"{plan} ({_saved(row)}) goes from {_from_to(row)}"
        for plan, row in largest.iterrows()
        if abs(row["predicted_other"] - row["predicted"]) >= NO_CHANGE
    ]
    leads = [set(side.loc[side["standing"] == Standing.FRONTIER, "plan"]) for side in sides]
    gone, come = sorted(leads[0] - leads[1]), sorted(leads[1] - leads[0])
    if gone:
        told.append(f"{_some(gone)} {'leave' if len(gone) > 1 else 'leaves'} the frontier")
    if come:
        told.append(f"{_some(come)} {'join' if len(come) > 1 else 'joins'} it")
    return f"; against {_name(first)}, {enumeration(told)}" if told else ""


_TOLD = ("predicted", "flops_removed", "bytes_removed", "loss_kernel_efficiency", "loss_launch")


def _from_to(row: pd.Series) -> str:
    return f"{rounding.speedup(row['predicted'])} to {rounding.speedup(row['predicted_other'])}"


def _saved(row: pd.Series) -> str:
    """What a plan saves in the other workload, and what its kernels make of that: `-40 % FLOPs, ...`."""
    flops, read = (_removed(row[f"{what}_removed_other"]) for what in ("flops", "bytes"))
    kernels = row["loss_kernel_efficiency_other"] * row["loss_launch_other"]
    return f"{flops} FLOPs, {read} bytes, kernels and launches x{rounding.factor(kernels).lstrip('↑')}"


def _removed(fraction: float) -> str:
    """`-22 %`; what a family adds is a plus."""
    return f"{round(-100 * fraction) + 0:+d} %" if round(100 * fraction) else "0 %"


def _some(plans: list[str]) -> str:
    """A few by name, the rest counted."""
    shown = plans if len(plans) <= SHOWN_CHANGES else [*plans[: SHOWN_CHANGES - 1], f"{len(plans) - 2} more"]
    return enumeration(shown)


def _of_scenario(points: pd.DataFrame, scenario: pd.Series) -> pd.DataFrame:
    keys = list(SCENARIO)
    return points[(points[keys] == scenario[keys]).all(axis=1)]
