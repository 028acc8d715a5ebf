"""Intervals of sums and ratios: how errors of single kernels add up over a model, and cancel in a speedup.

The log error of a kernel's time is taken as the sum of a part that all kernels of its error group (GEMMs,
attention, memory-bound ones) share on a GPU, with the share RHO of the variance, and a part of its own. Ops
of one label (`Program.labels`) are the same kernel in other blocks or passes. They share their own part too,
so that a model whose blocks all differ a little is not more certain than one whose blocks are equal.

**Sum.** With weights w_i = t_i / T and 80 % half-widths h_i of labels i, to first order in the errors

    h(T)^2 = sum over groups [RHO (sum w_i h_i)^2 + (1 - RHO) sum (w_i h_i)^2].

**Ratio** T(dense) / T(plan), weights w_d and w_p. Common parts enter as (sum w_d h_d - sum w_p h_p)^2 for
each group: what slows every GEMM slows both sides. Own parts of a label that only one side has are
independent. Of a label on both sides, with own half-widths s = sqrt(1 - RHO) h and q the half-width of the
log ratio of two such kernels (`pair_log_half_width`; 0 where the kernels are identical and only their count
differs),

    var = w_d^2 s_d^2 + w_p^2 s_p^2 - w_d w_p (s_d^2 + s_p^2 - q^2)
        = (w_d s_d - w_p s_p)^2 + w_d w_p (q^2 - (s_d - s_p)^2),

which for s_d = s_p = s is (w_d - w_p)^2 s^2 + w_d w_p q^2. q^2 is kept between (s_d - s_p)^2, fully
correlated, and s_d^2 + s_p^2, independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.simulation.timing.op_costs import OpCosts

RHO = 0.5
"""Share of an error's variance that is common to its group: a stated guess between none and all."""

OUTSIDE_SHARE = 0.045
"""Share of the dense time that may be no kernel's, and stay as it is whatever is pruned: the host, sampling,
gaps between kernels. It is the 4.5 % that "Beyond FLOPs" (arXiv:2606.09080, figure 2) finds in prefill."""


def outside_half_width(speedup: Array) -> Array:
    """80 % half-width of a log speedup for time outside the kernels: |log| of the speedup with that share
    over the one without, 1 / (h + (1 - h) / S) over S.
    """
    width: Array = np.abs(np.log(OUTSIDE_SHARE * speedup + 1 - OUTSIDE_SHARE))
    return width


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrors:
    """Ops pooled by label: arrays of labels x scenarios.

    `weights` are shares of the total time, `widths` the time-weighted mean half-widths; a label that the
    program lacks has both at 0. `pair` is the half-width of the log ratio to the other side's kernels.
    """

    weights: Array
    widths: Array
    pair: Array


def half_width_of_sum(costs: OpCosts, labels: Sequence[str]) -> Array:
    """80 % half-width of the log of the ops' total time, over the scenario axes."""
    names = _distinct(labels)
    pooled = _pool(costs, labels, names, np.asarray(False))
    groups = _groups_by_label(costs, labels)
    contributions = pooled.weights * pooled.widths
    own = np.square(contributions).sum(axis=0)
    return _width(RHO * _squares_by_group(contributions, names, groups) + (1 - RHO) * own)


def half_width_of_ratio(
    dense: OpCosts,
    dense_labels: Sequence[str],
    plan: OpCosts,
    plan_labels: Sequence[str],
    unchanged: npt.NDArray[np.bool_],
) -> Array:
    """80 % half-width of the log of dense over plan time, over the scenario axes.

    `unchanged` (the plan's ops x scenarios) marks ops whose kernel the dense model runs too.
    """
    names = _distinct((*dense_labels, *plan_labels))
    groups = _groups_by_label(dense, dense_labels) | _groups_by_label(plan, plan_labels)
    d = _pool(dense, dense_labels, names, np.asarray(False))
    p = _pool(plan, plan_labels, names, unchanged)
    difference = d.weights * d.widths - p.weights * p.widths
    s_d, s_p = np.sqrt(1 - RHO) * d.widths, np.sqrt(1 - RHO) * p.widths
    correlated, independent = np.square(s_d - s_p), np.square(s_d) + np.square(s_p)
    pair = np.clip(np.square(p.pair), correlated, independent)
    own = (1 - RHO) * np.square(difference) + d.weights * p.weights * (pair - correlated)
    return _width(RHO * _squares_by_group(difference, names, groups) + own.sum(axis=0))


def _distinct(labels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _pool(
    costs: OpCosts, labels: Sequence[str], names: Sequence[str], unchanged: npt.NDArray[np.bool_]
) -> LabelErrors:
    """Means over the ops of each of `names`, weighted by time."""
    time_s = costs.latency_s
    share = time_s / time_s.sum(axis=0)
    members = np.array([[label == name for label in labels] for name in names], dtype=np.float64)

    def summed(values: Array) -> Array:
        return np.tensordot(members, values, axes=1)

    weights = summed(share)
    scale = np.divide(1.0, weights, out=np.zeros_like(weights), where=weights > 0)
    pair = np.where(unchanged, 0.0, costs.pair_log_half_width)
    return LabelErrors(
        weights=weights,
        widths=scale * summed(share * costs.log_half_width),
        pair=scale * summed(share * pair),
    )


def _groups_by_label(costs: OpCosts, labels: Sequence[str]) -> dict[str, str]:
    return dict(zip(labels, costs.error_group.tolist(), strict=True))


def _squares_by_group(values: Array, names: Sequence[str], groups: dict[str, str]) -> Array:
    """Sum of each group's values, squared and added up."""
    group_of = np.array([groups[name] for name in names])
    sums = [values[group_of == group].sum(axis=0) for group in np.unique(group_of)]
    squares: Array = np.square(sums).sum(axis=0)
    return squares


def _width(variance: Array) -> Array:
    # Rounding can leave a variance of identical programs a hair below zero.
    return np.sqrt(np.maximum(variance, 0.0))
