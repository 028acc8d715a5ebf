"""Who leads at which loss of quality: bands of a frontier, and the best within an allowed loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.errors import InvalidValueError
from infersim.simulation.frontier.pareto import Band, Curve, Standing, bands
from infersim.simulation.frontier.rows import GROUP_KEYS, SCENARIO_KEYS

if TYPE_CHECKING:
    import pandas as pd

BASES = ("predicted", "measured")
"""Columns of speedups that a frontier can be drawn from."""

KEYS = [*SCENARIO_KEYS, *GROUP_KEYS]


def frontier_groups(points: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """The points of each frontier with what they have in common; `points` as of `Frontier`."""
    for values, group in points.groupby(KEYS, sort=False):
        yield dict(zip(KEYS, values, strict=True)), group


def leading_bands(points: pd.DataFrame, basis: str = "predicted") -> pd.DataFrame:
    """One row for each band of each frontier: from `loss_low` to `loss_high` percent `family` gains most.

    Neighbouring bands of one family are one; `plan`, `method`, `speedup` (80 % interval `lower upper`) and
    `gain_per_point` are those at its start, `speedup_high` and `plan_high` those at its end. Nobody leads
    where no point is faster than the dense model. `rivals` are plans of other families in the band that are
    not told apart from a better one. Other columns say which frontier.
    """
    import pandas as pd

    rows = []
    for keys, group in frontier_groups(points):
        for family, merged in _merged(group, basis):
            first, last = _row(group, merged[0].leader), _row(group, merged[-1].leader)
            rows.append(
                {
                    **keys,
                    "basis": basis,
                    "loss_low": merged[0].low,
                    "loss_high": merged[-1].high,
                    "family": family,
                    "plan": first["plan"],
                    "method": first["method"],
                    "source": first["source"],
                    "speedup": first[basis],
                    "lower": first["predicted_lower"] if basis == "predicted" else math.nan,
                    "upper": first["predicted_upper"] if basis == "predicted" else math.nan,
                    "plan_high": last["plan"],
                    "speedup_high": last[basis],
                    "gain_per_point": _gain_per_point(first, basis),
                    "rivals": _rivals(group, merged, family, basis),
                }
            )
    return pd.DataFrame(rows)


def best_within(points: pd.DataFrame, max_loss_percent: float) -> pd.DataFrame:
    """The best point of each frontier that loses at most `max_loss_percent`, one row each.

    `predicted` is 1 and `plan` empty where the dense model is the best. `between_plan`, `between_sparsity`
    and `between_predicted` are the same if straight lines between points of one series are believed too.
    """
    import pandas as pd

    if not math.isfinite(max_loss_percent):
        raise InvalidValueError("max_loss", max_loss_percent, "a percentage of quality, such as 5")
    rows = []
    for keys, group in frontier_groups(points):
        allowed = group[(group["quality_loss_percent"] <= max_loss_percent) & group["fits_memory"]]
        allowed = allowed[allowed["predicted"] > 1].sort_values("predicted", ascending=False, kind="stable")
        best = {"family": "", "plan": "", "method": "", "predicted": 1.0, "static_m_equivalent": 0.0}
        columns = [*best, "source", "quality_loss_percent", "predicted_lower", "predicted_upper"]
        if not allowed.empty:
            best |= {name: allowed.iloc[0][name] for name in columns}
        rows.append(
            {**keys, "max_loss_percent": max_loss_percent, **best, **_between(group, max_loss_percent)}
        )
    return pd.DataFrame(rows)


def series_curves(group: pd.DataFrame, basis: str) -> Iterator[tuple[pd.DataFrame, Curve]]:
    """Each series of one frontier as a curve by rising loss; points without a speedup are left out."""
    known = group[group[basis].notna()]
    for _, series in known.groupby("series", sort=False):
        ordered = series.sort_values("quality_loss_percent", kind="stable")
        yield (
            ordered,
            Curve(
                family=str(ordered["family"].iloc[0]),
                loss=ordered["quality_loss_percent"].to_numpy(dtype=float),
                speedup=ordered[basis].to_numpy(dtype=float),
            ),
        )


def _merged(group: pd.DataFrame, basis: str) -> Iterator[tuple[str, list[Band]]]:
    """Bands of one frontier whose leaders are faster than dense, neighbours of one family together.

    `Band.leader` is the row's label in `group`.
    """
    fitting = group[group["fits_memory"]]
    labels = fitting.index.to_numpy()
    speedup = fitting[basis].to_numpy(dtype=float)
    fast = np.where(speedup > 1, speedup, np.nan)
    run: list[Band] = []
    name = ""
    for band in bands(fitting["quality_loss_percent"].to_numpy(dtype=float), fast):
        found = Band(low=band.low, high=band.high, leader=int(labels[band.leader]))
        family = str(group.loc[found.leader, "family"])
        if run and family != name:
            yield name, run
            run = []
        name, run = family, [*run, found]
    if run:
        yield name, run


def _row(group: pd.DataFrame, label: int) -> pd.Series:
    return group.loc[[label]].iloc[0]


def _rivals(group: pd.DataFrame, merged: list[Band], family: str, basis: str) -> str:
    standing = group["standing" if basis == "predicted" else "measured_standing"]
    loss = group["quality_loss_percent"]
    inside = (loss >= merged[0].low) & (loss < merged[-1].high) & (group["family"] != family)
    found = group.loc[inside & (standing == Standing.NOT_TOLD_APART), "plan"]
    return ", ".join(dict.fromkeys(found))


def _gain_per_point(row: pd.Series, basis: str) -> float:
    loss = float(row["quality_loss_percent"])
    return 100 * (float(row[basis]) - 1) / loss if loss > 0 else math.nan


def _between(group: pd.DataFrame, allowed: float) -> dict[str, object]:
    """The best point on any straight line of a series at a loss of at most `allowed`, if it is faster."""
    best: dict[str, object] = {"between_family": "", "between_sparsity": math.nan, "between_predicted": 1.0}
    for rows, curve in series_curves(group[group["fits_memory"]], "predicted"):
        if not curve.loss[0] <= allowed < curve.loss[-1]:
            continue
        speedup = float(np.interp(allowed, curve.loss, curve.speedup))
        if speedup > float(str(best["between_predicted"])):
            sparsity = float(np.interp(allowed, curve.loss, rows["sparsity"].to_numpy(dtype=float)))
            best = {
                "between_family": curve.family,
                "between_sparsity": sparsity,
                "between_predicted": speedup,
            }
    return best
