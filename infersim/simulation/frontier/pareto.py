"""Pareto sets of points that lose quality and gain speed, each gain known within an interval.

Pure arithmetic on arrays; what the points are is for `frontier` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from infersim.domain.arrays import Array

RatioWidth = Callable[[int, int], float]
"""80 % half-width of the log of the ratio of two points' speedups; 0 where both are one and the same."""


class Standing(StrEnum):
    """What may be said of a point beside the others."""

    FRONTIER = "frontier"  # no other point loses less and gains more
    NOT_TOLD_APART = "not told apart"  # one does, but within the uncertainty
    DOMINATED = "dominated"  # one does, beyond the uncertainty
    UNKNOWN = ""  # it has no speedup


def standings(
    loss: Array, loss_half_width: Array, log_speedup: Array, ratio_half_width: RatioWidth
) -> list[Standing]:
    """Standing of each point; all arrays have one entry for each.

    `loss_half_width` is that of an 80 % interval, NaN where it is not known: the loss is then taken as
    stated. A point j dominates i beyond uncertainty if it surely loses no more and gains no less:

        loss_j + u_j <= loss_i - u_i   and   log S_j - log S_i >= h_ij,

    with u the half-widths of the losses and h_ij that of the ratio of the speedups, in which errors that both
    share cancel. Points of NaN speedup are UNKNOWN and dominate nothing.
    """
    width = np.where(np.isnan(loss_half_width), 0.0, loss_half_width)
    known = np.flatnonzero(~np.isnan(log_speedup))
    found = [Standing.UNKNOWN] * len(loss)
    for i in known.tolist():
        better = [j for j in known.tolist() if _beats(loss, log_speedup, j, i)]
        sure = any(
            loss[j] + width[j] <= loss[i] - width[i]
            and log_speedup[j] - log_speedup[i] >= ratio_half_width(j, i)
            for j in sorted(better, key=lambda j: -log_speedup[j])
        )
        found[i] = Standing.DOMINATED if sure else Standing.NOT_TOLD_APART if better else Standing.FRONTIER
    return found


def _beats(loss: Array, log_speedup: Array, j: int, i: int) -> bool:
    no_worse = loss[j] <= loss[i] and log_speedup[j] >= log_speedup[i]
    return bool(no_worse and (loss[j] < loss[i] or log_speedup[j] > log_speedup[i]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Losses from `low` up to `high` (infinity: no end) at which the point `leader` gains most."""

    low: float
    high: float
    leader: int


def bands(loss: Array, speedup: Array) -> list[Band]:
    """Who gains most among points that lose no more than what is allowed, as the allowance grows.

    A point leads from its own loss on until a point of greater speedup comes; NaN speedups never lead.
    """
    order = sorted(np.flatnonzero(~np.isnan(speedup)).tolist(), key=lambda i: (loss[i], -speedup[i]))
    leaders: list[int] = []
    for i in order:
        if not leaders or speedup[i] > speedup[leaders[-1]]:
            leaders.append(i)
    starts = [float(loss[i]) for i in leaders]
    ends = [*starts[1:], np.inf][: len(starts)]
    return [
        Band(low=low, high=high, leader=i)
        for low, high, i in zip(starts, ends, leaders, strict=True)
        if high > low
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Points of one series by rising loss; between them speedups may be interpolated."""

    family: str
    loss: Array
    speedup: Array


def leading_family(curves: Sequence[Curve], allowed: Array, *, interpolate: bool) -> list[str]:
    """The family that gains most at each of the `allowed` losses; empty where no point is allowed, or all
    that are make the model slower than dense (1).

    With `interpolate` a straight line joins the points of a curve; it never reaches beyond its ends.
    """
    best, names = np.ones(len(allowed)), [""] * len(allowed)
    for curve in curves:
        reached = best_speedup(curve, allowed, interpolate=interpolate)
        for place in np.flatnonzero(reached > best).tolist():
            best[place], names[place] = reached[place], curve.family
    return names


def best_speedup(curve: Curve, allowed: Array, *, interpolate: bool) -> Array:
    """The greatest speedup of a curve at losses up to each of `allowed`; 0 where it has none.

    With `interpolate` the straight lines between neighbouring points count too.
    """
    losses, speedups = np.asarray(curve.loss), np.asarray(curve.speedup)
    held: Array = np.array([speedups[losses <= most].max(initial=0.0) for most in allowed])
    if interpolate and len(losses) > 1:
        inside = (allowed >= losses[0]) & (allowed <= losses[-1])
        # A line that falls leaves what was reached before it.
        held = np.where(inside, np.maximum(held, np.interp(allowed, losses, speedups)), held)
    return held
