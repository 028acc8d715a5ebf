"""A comparison along one number of the datasheet: who leads where, and the speedups value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.notes import comparison_notes, frame_grade
from infersim.report.core.scenarios import (
    SCENARIO_KEYS,
    by_scenario,
    place,
    scenario_groups,
    section_labels,
    shared_title,
    varying_keys,
)
from infersim.report.core.table import Column, Table
from infersim.report.core.verdict import Verdict, as_sentence, enumeration
from infersim.simulation.speedups.hardware_sweep import overtakings, stretches

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "memory.bandwidth_gb_s": ("bandwidth", "GB/s"),
    "memory.capacity_gb": ("memory capacity", "GB"),
    "chip.sm_count": ("number of SMs", "SMs"),
    "chip.clock_max_mhz": ("highest clock", "MHz"),
    "chip.tensor_clock_mhz": ("tensor clock", "MHz"),
    "chip.clock_base_mhz": ("base clock", "MHz"),
    "chip.l2_mib": ("L2 cache", "MiB"),
    "chip.tdp_w": ("power limit", "W"),
}
"""What a number is called, and its unit; others go by their keys."""


WORTH_TELLING = 0.02
"""A change of a speedup from one end to the other, as a fraction, below which it is not told."""

MOST_SHOWN = 3
"""How many changes of the order are told one by one."""


def named(key: str) -> tuple[str, str]:
    """Name and unit of the number `key`."""
    table, *dtype, last = key.split(".")
    if table == "matrix" and last == "flop_per_clock_per_sm":
        return f"{dtype[0]} rate", "FLOP/clock/SM"
    return NAMES.get(key, (key, ""))


def written(key: str, value: float) -> str:
    """`3,350 GB/s`."""
    unit = named(key)[1]
    return f"{value:,.6g} {unit}".rstrip()


def hardware_verdict(frame: pd.DataFrame) -> Verdict:
    """Judge a frame of `compare_along`, scenario by scenario."""
    keys = varying_keys(frame)
    sentences = [
        " ".join(map(as_sentence, _sentences(rows, place(rows.iloc[0], keys))))
        for rows in scenario_groups(frame)
    ]
    own = frame[frame["own"]]
    note = (
        "Away from the datasheet's own value no GPU was measured: kernels are taken to be as efficient there "
        "as on this one."
    )
    return Verdict(sentences=tuple(sentences), notes=(*comparison_notes(own), note), grade=frame_grade(own))


def _sentences(rows: pd.DataFrame, where: str) -> list[str]:
    """Who leads where along the number and what that gains; which plan depends on it most, which overtake."""
    key = str(rows["key"].iloc[0])
    leading = stretches(rows)
    if not leading:
        return [f"no plan fits into memory{where}"]
    own = _own_value(rows)
    leader = next((plan for plan, low, high in leading if low <= own <= high), leading[0][0])
    alone = rows["plan"].nunique() == 1
    sentences = [] if alone else [_leading(key, leading, where)]
    sentences.append(_gain(rows[rows["plan"] == leader], where if alone else ""))
    return sentences if alone else [*sentences, *_most_dependent(rows, leader), *_order_changes(rows)]


def _leading(key: str, leading: list[tuple[str, float, float]], where: str) -> str:
    if len(leading) == 1:
        return f"{leading[0][0]} is predicted the fastest{where}, whatever the {named(key)[0]}"
    parts = [
        f"{plan} {_stretch(key, low, high, first=index == 0, last=index == len(leading) - 1)}"
        for index, (plan, low, high) in enumerate(leading)
    ]
    return f"the fastest{where} changes with the {named(key)[0]}: {enumeration(parts)}"


def _most_dependent(rows: pd.DataFrame, leader: str) -> list[str]:
    """The plan, other than the leader, whose predicted speedup changes most from one end to the other."""
    key = str(rows["key"].iloc[0])
    ends = rows[rows["value"].isin([rows["value"].min(), rows["value"].max()])].sort_values("value")
    speedups = {str(plan): list(each["predicted"]) for plan, each in ends.groupby("plan") if plan != leader}
    plan = max(speedups, key=lambda name: abs(speedups[name][-1] / speedups[name][0] - 1))
    if abs(speedups[plan][-1] / speedups[plan][0] - 1) < WORTH_TELLING:
        return []
    values = (float(ends["value"].min()), float(ends["value"].max()))
    said = [
        f"{rounding.speedup(speedup)} at {written(key, value)}"
        for speedup, value in zip(speedups[plan], values, strict=True)
    ]
    return [f"{plan} depends on it most: {' and '.join(said)}"]


def _order_changes(rows: pd.DataFrame) -> list[str]:
    key = str(rows["key"].iloc[0])
    found = overtakings(rows)
    if not found:
        return []
    said = [
        f"{faster} overtakes {slower} between {written(key, low)} and {written(key, high)}"
        for faster, slower, low, high in found[:MOST_SHOWN]
    ]
    more = f", and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    return [f"the order changes: {enumeration(said)}{more}"]


def _stretch(key: str, low: float, high: float, *, first: bool, last: bool) -> str:
    if first:
        return f"up to {written(key, high)}"
    if last:
        return f"from {written(key, low)} on"
    return f"from {written(key, low)} to {written(key, high)}"


def _own_value(rows: pd.DataFrame) -> float:
    return float(rows.loc[rows["own"], "value"].iloc[0])


def _gain(rows: pd.DataFrame, where: str) -> str:
    """What one plan is worth at the datasheet's value and at both ends."""
    key, ordered = str(rows["key"].iloc[0]), rows.sort_values("value")
    own, ends = ordered[ordered["own"]].iloc[0], ordered.iloc[[0, -1]]
    elsewhere = [
        f"{rounding.speedup_between(row['predicted'], row['predicted_lower'], row['predicted_upper'])} of "
        f"{rounding.speedup(row['bound'])} at {written(key, row['value'])}"
        for _, row in ends.iterrows()
        if not row["own"]
    ]
    figures = rounding.speedup_between(own["predicted"], own["predicted_lower"], own["predicted_upper"])
    said = (
        f"{own['plan']}{where} is predicted {figures} of a possible {rounding.speedup(own['bound'])} at the "
        f"datasheet's {written(key, own['value'])}"
    )
    return "; ".join(filter(None, (said, enumeration(elsewhere))))


def hardware_table(frame: pd.DataFrame) -> Table:
    """Rows are values of the number, columns plans: predicted speedup, interval and bound."""
    frame = by_scenario(frame)
    key = str(frame["key"].iloc[0])
    wide = _by_plan(frame)
    plans = list(dict.fromkeys(frame["plan"]))
    columns = [
        Column(heading=named(key)[0], keys=("value", "own"), text=lambda v, own: _marked(key, v, own)),
        Column(heading="dense\nms", keys=("dense_ms",), text=rounding.quantity),
        Column(heading="fastest", keys=("fastest",), numeric=False),
    ]
    columns += [
        Column(
            heading=f"{plan}\npredicted (80 %), bound",
            keys=tuple(f"{name} {plan}" for name in _SHOWN),
            text=_speedup_and_bound,
        )
        for plan in plans
    ]
    return Table(
        title=f"Speedups of {shared_title(frame)}, by {named(key)[0]}",
        frame=wide,
        columns=tuple(columns),
        labels=section_labels(wide),
        caption="* is the datasheet's own value.",
    )


_SHOWN = ("predicted", "predicted_lower", "predicted_upper", "bound")


def _by_plan(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each scenario and value, with the columns of _SHOWN for each plan."""
    import pandas as pd

    rows = []
    for (*_, value), group in frame.groupby([*SCENARIO_KEYS, "value"], sort=False):
        first, fitting = group.iloc[0], group[group["fits_memory"]]
        row = {name: first[name] for name in (*SCENARIO_KEYS, "own", "dense_ms")} | {"value": value}
        ranked = fitting.sort_values("predicted", ascending=False, kind="stable")["plan"]
        row["fastest"] = next(iter(ranked), rounding.UNKNOWN)
        for _, each in group.iterrows():
            row |= {f"{name} {each['plan']}": each[name] for name in _SHOWN}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("value", kind="stable", ignore_index=True).pipe(by_scenario)


def _marked(key: str, value: float, own: bool) -> str:
    return f"{written(key, value)}{' *' if own else '  '}"


def _speedup_and_bound(predicted: float, low: float, high: float, bound: float) -> str:
    return f"{rounding.speedup_between(predicted, low, high)}, {rounding.speedup(bound)}"
