"""The source paper's claim, which family leads at which loss, beside frontiers of stated points.

"Beyond FLOPs" (arXiv:2606.09080) says for prefill: static depth for 0-4 % quality loss, dynamic depth for
5-16 %, static width for 17-26 % (`calibration/beyond_flops_claims.csv`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.shapes import Phase
from infersim.simulation.frontier.bands import BASES, series_curves
from infersim.simulation.frontier.pareto import Curve, leading_family
from infersim.simulation.paper.source import Quantity, load_claims

if TYPE_CHECKING:
    import pandas as pd

AXIS = "zero-shot"
"""The paper's quality is a mean accuracy over such tasks."""

STEPS = 200
"""Allowed losses that a band is looked at, evenly from end to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBand:
    """From `low` to `high` percent of lost quality `family` gains most in prefill, the paper says."""

    family: str
    low: float
    high: float


@cache
def claimed_bands() -> tuple[ClaimedBand, ...]:
    """The paper's bands in the order of their losses."""
    ends = {
        (claim.family, claim.quantity): 100 * claim.value
        for claim in load_claims()
        if claim.family and claim.quantity in (Quantity.FRONTIER_LOSS_LOW, Quantity.FRONTIER_LOSS_HIGH)
    }
    found = [
        ClaimedBand(family=family, low=low, high=ends[family, Quantity.FRONTIER_LOSS_HIGH])
        for (family, quantity), low in ends.items()
        if quantity is Quantity.FRONTIER_LOSS_LOW
    ]
    return tuple(sorted(found, key=lambda band: band.low))


def agreement(points: pd.DataFrame) -> pd.DataFrame:
    """The paper's bands beside the frontiers in `points` (as of `Frontier`) that are of its kind.

    One row for each GPU, regime of recovery, basis (predicted; measured where anything was) and band:
    `claimed loss_low loss_high scenarios points families`, and both from the stated points alone (`stated_`)
    and with straight lines between the points of a series (`between_`): the `share` of the band in which the
    claimed family leads, the `leader` of the largest part of it with its `leader_share`, and the part that is
    `open`: no point is allowed there, or none is faster than dense. Speedups are means over the scenarios in
    prefill, losses those of mean accuracies over zero-shot tasks. `claimed_known` says whether the regime has
    any point of the claimed family; a regime of one family alone is left out, as it can only lead.
    """
    import pandas as pd

    here = points[(points["phase"] == Phase.PREFILL) & (points["axis"] == AXIS) & points["fits_memory"]]
    rows = []
    for (model, gpu, regime), of_regime in here.groupby(["model", "gpu", "regime"], sort=False):
        scenarios = len(of_regime[["batch", "context"]].drop_duplicates())
        for basis in BASES:
            curves = _mean_curves(of_regime, basis)
            families = {curve.family for curve in curves}
            if len(families) < 2:
                continue
            for band in claimed_bands():
                stated, between = (_led(curves, band, interpolate) for interpolate in (False, True))
                rows.append(
                    {
                        "model": model,
                        "gpu": gpu,
                        "regime": regime,
                        "basis": basis,
                        "scenarios": scenarios,
                        "points": sum(len(curve.loss) for curve in curves),
                        "families": len(families),
                        "claimed": band.family,
                        "claimed_known": band.family in families,
                        "loss_low": band.low,
                        "loss_high": band.high,
                        **{f"stated_{name}": value for name, value in stated.items()},
                        **{f"between_{name}": value for name, value in between.items()},
                    }
                )
    return pd.DataFrame(rows)


def _mean_curves(rows: pd.DataFrame, basis: str) -> list[Curve]:
    """Each series with its speedups averaged over the scenarios."""
    keys = ["point", "family", "series", "quality_loss_percent"]
    means = rows.groupby(keys, sort=False)[basis].mean().reset_index()
    return [curve for _, curve in series_curves(means, basis)]


def _led(curves: list[Curve], band: ClaimedBand, interpolate: bool) -> dict[str, object]:
    """How much of the band the claimed family leads, and who leads the largest part."""
    allowed = np.linspace(band.low, band.high, STEPS + 1)
    leaders = Counter(leading_family(curves, allowed, interpolate=interpolate))
    undecided = leaders.pop("", 0)
    leader, times = leaders.most_common(1)[0] if leaders else ("", 0)
    return {
        "share": leaders[band.family] / (STEPS + 1),
        "leader": leader,
        "leader_share": times / (STEPS + 1),
        "open": undecided / (STEPS + 1),
    }
