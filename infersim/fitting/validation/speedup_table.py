"""Errors of the speedups of pruned GEMMs, beside those of two ways to guess them without measuring.

The pairs are found among samples: the same GEMM but for one axis, cut to a part of its length.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
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


AXES: tuple[Axis, ...] = ("n", "k", "m")

CUTS: tuple[tuple[str, tuple[Axis, ...]], ...] = (
    ("n or k", ("n", "k")),
    ("n", ("n",)),
    ("k", ("k",)),
    ("m", ("m",)),
)
"""Names of cuts with the axes they pool: fewer heads, channels or ranks cut N or K, fewer tokens cut M."""

SPEEDUP_COLUMNS = (
    *("dtype", "cut", "pairs", "mape", "median_ape", "p90_ape", "bias", "coverage", "log_half_width"),
    *("flops_mape", "flops_median_ape", "roofline_mape", "roofline_median_ape"),
)


def speedup_table(predictions: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Errors of predicted speedups on the `pruned_pairs` of dense GEMMs among `predictions`, as fractions.

    Columns: `dtype`, `cut` (of CUTS), `pairs`, `mape`, `median_ape`, `p90_ape`, `bias`, `coverage` and mean
    `log_half_width` of the speedup's 80 % interval, then the errors of the FLOPs ratio (`flops_...`) and of
    the ratio of plain rooflines (`roofline_...`). Cuts without a pair are left out.
    """
    gemms = predictions[(predictions["kind"] == Kind.GEMM).to_numpy()]
    lines = []
    for dtype in sorted(gemms["dtype"].unique()) if len(gemms) else []:
        rows = gemms[gemms["dtype"] == dtype]
        pairs = {axis: pruned_pairs(rows, axis, seed=seed) for axis in AXES}
        for cut, axes in CUTS:
            pooled = pd.concat([pairs[axis] for axis in axes], ignore_index=True)
            if len(pooled):
                lines.append({"dtype": dtype, "cut": cut, "pairs": len(pooled), **_errors(pooled, rows)})
    return pd.DataFrame(lines, columns=list(SPEEDUP_COLUMNS))


def _errors(pairs: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    errors = speedup_errors(pairs, _column(rows, "predicted_us"), _column(rows, "pair_log_half_width"))
    roofline = speedup_errors(pairs, _column(rows, "roofline_us")).predicted
    coverage = errors.coverage
    return {
        **asdict(errors.predicted),
        "coverage": np.nan if coverage is None else coverage.coverage,
        "log_half_width": np.nan if coverage is None else coverage.mean_log_half_width,
        "flops_mape": errors.flops.mape,
        "flops_median_ape": errors.flops.median_ape,
        "roofline_mape": roofline.mape,
        "roofline_median_ape": roofline.median_ape,
    }


def _column(rows: pd.DataFrame, name: str) -> Array:
    return rows[name].to_numpy(dtype=np.float64)
