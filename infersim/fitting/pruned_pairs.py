"""Pairs of GEMMs as pruning makes them: the same but for one axis, cut to a part of its length.

A tool for pruning is judged by its speedups: these pairs, found among samples, measure their error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import CoverageSummary, ErrorSummary, coverage_summary, error_summary
from infersim.fitting.samples.schema import Kind

Axis = Literal["m", "n", "k"]

SHORTEST_CUT, LONGEST_CUT = 0.4, 0.9
"""Parts of an axis that pruning leaves: less is hardly the same model, more is a gain within the noise."""

HOW_TIMED = ("weight_copies", "includes_act_quant")
"""Columns that say how a GEMM was timed: a pair is timed alike."""

SMALLEST_DIMENSION = 2048
"""N and K of the dense GEMM: the linear layers of LLMs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedupErrors:
    """Errors of predicted speedups beside those of the FLOPs ratio, on the same pairs.

    `coverage` is that of the 80 % interval of the speedup, None where no half-width was given.
    """

    predicted: ErrorSummary
    flops: ErrorSummary
    coverage: CoverageSummary | None = None


def pruned_pairs(frame: pd.DataFrame, axis: Axis, *, cap: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Pairs among the dense GEMM samples of `frame`: columns `dense`, `pruned`, `fraction`, `speedup`.

    `dense` and `pruned` are row positions in `frame`: the same GPU, data type, way of timing and other two
    dimensions, `axis` cut to `fraction` (0.4 to 0.9) of the dense one, whose N and K are at least 2048.
    `speedup` is measured; the FLOPs ratio is 1 / fraction. Beyond `cap`, that many are drawn by `seed`.
    """
    same = [name for name in ("gpu", "dtype", *HOW_TIMED, "m", "n", "k") if name != axis and name in frame]
    rows = frame[[*same, axis, "latency_us"]].assign(position=np.arange(len(frame)))
    rows = rows[(frame["kind"] == Kind.GEMM).to_numpy()]
    large = (rows["n"] >= SMALLEST_DIMENSION) & (rows["k"] >= SMALLEST_DIMENSION)
    pairs = rows[large].merge(rows, on=same, suffixes=("", "_pruned"))
    fraction = pairs[f"{axis}_pruned"] / pairs[axis]
    pairs = pairs.assign(fraction=fraction)[fraction.between(SHORTEST_CUT, LONGEST_CUT)]
    pairs = pairs.sort_values([*same, axis, "fraction", "latency_us", "latency_us_pruned"], kind="stable")
    if len(pairs) > cap:
        chosen = np.random.default_rng(seed).choice(len(pairs), size=cap, replace=False)
        pairs = pairs.iloc[np.sort(chosen)]
    return pd.DataFrame(
        {
            "dense": pairs["position"].to_numpy(),
            "pruned": pairs["position_pruned"].to_numpy(),
            "fraction": pairs["fraction"].to_numpy(dtype=np.float64),
            "speedup": (pairs["latency_us"] / pairs["latency_us_pruned"]).to_numpy(dtype=np.float64),
        }
    )


def speedup_errors(
    pairs: pd.DataFrame, predicted_latency: Array, pair_log_half_width: Array | None = None
) -> SpeedupErrors:
    """Errors of the speedups that `predicted_latency` (any unit, one value per row of the samples) implies.

    `pair_log_half_width` is, by row, the 80 % half-width of the log ratio of two kernels like it; a pair
    takes the root mean square of its two.
    """
    dense: npt.NDArray[np.int64] = pairs["dense"].to_numpy()
    pruned: npt.NDArray[np.int64] = pairs["pruned"].to_numpy()
    measured = pairs["speedup"].to_numpy(dtype=np.float64)
    predicted = predicted_latency[dense] / predicted_latency[pruned]
    coverage = None
    if pair_log_half_width is not None:
        half_width = np.sqrt((pair_log_half_width[dense] ** 2 + pair_log_half_width[pruned] ** 2) / 2.0)
        widening = np.exp(half_width)
        coverage = coverage_summary(measured, predicted / widening, predicted * widening)
    return SpeedupErrors(
        predicted=error_summary(predicted, measured),
        flops=error_summary(1.0 / pairs["fraction"].to_numpy(dtype=np.float64), measured),
        coverage=coverage,
    )
