"""Errors of the speedups of pruned GEMMs, beside those of two ways to guess them without measuring.

The pairs are found among samples: the same GEMM but for one axis, cut to a part of its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import CoverageSummary, ErrorSummary, coverage_summary, error_summary
from infersim.fitting.samples.schema import Kind
from infersim.fitting.validation.pruned_pairs import (
    HOW_TIMED,
    Axis,
    DenseGemms,
    Positions,
    paired,
    pruned_pairs,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedupErrors:
    """Errors of predicted speedups beside those of the FLOPs ratio, on the same pairs.

    `coverage` is that of the 80 % interval of the speedup, None where no half-width was given.
    """

    predicted: ErrorSummary
    flops: ErrorSummary
    coverage: CoverageSummary | None = None


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
    lines: list[dict[str, object]] = []
    for dtype in sorted(gemms["dtype"].unique()) if len(gemms) else []:
        rows = gemms[gemms["dtype"] == dtype]
        pairs = {axis: pruned_pairs(rows, axis, seed=seed) for axis in AXES}
        lines += _lines(dtype, pairs, rows)
    return pd.DataFrame(lines, columns=list(SPEEDUP_COLUMNS))


def packed_speedup_table(
    by_dtype: Iterable[tuple[str, DenseGemms]],
    predict: Callable[[pd.DataFrame], pd.DataFrame],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """`speedup_table` of GEMMs by data type, of which only those in pairs are predicted."""
    lines: list[dict[str, object]] = []
    for dtype, gemms in by_dtype:
        pairs = {axis: paired(gemms, axis, seed=seed) for axis in AXES}
        chosen = np.unique(
            np.concatenate([pair[["dense", "pruned"]].to_numpy().ravel() for pair in pairs.values()])
        )
        if len(chosen):
            at = {
                axis: pair.assign(
                    **{side: np.searchsorted(chosen, pair[side]) for side in ("dense", "pruned")}
                )
                for axis, pair in pairs.items()
            }
            lines += _lines(dtype, at, predict(_chosen(gemms, dtype, chosen)))
    return pd.DataFrame(lines, columns=list(SPEEDUP_COLUMNS))


def _chosen(gemms: DenseGemms, dtype: str, rows: Positions) -> pd.DataFrame:
    """Some of the GEMMs as samples."""
    ways = [gemms.ways[way] for way in gemms.alike[rows]]
    values = dict(zip(HOW_TIMED, zip(*ways, strict=True), strict=True))
    sizes = {name: getattr(gemms, name)[rows].astype(np.int64) for name in ("m", "n", "k")}
    how = {
        "weight_copies": np.array(values.pop("weight_copies"), dtype=np.float64),
        **{name: np.array(said, dtype=object) for name, said in values.items()},
    }
    return pd.DataFrame({"kind": Kind.GEMM.value, "dtype": dtype, **sizes, **how})


def _lines(dtype: str, pairs: Mapping[Axis, pd.DataFrame], rows: pd.DataFrame) -> list[dict[str, object]]:
    """A line for each cut that has pairs; they are positions in `rows`, which are predicted."""
    lines: list[dict[str, object]] = []
    for cut, axes in CUTS:
        pooled = pd.concat([pairs[axis] for axis in axes], ignore_index=True)
        if len(pooled):
            lines.append({"dtype": dtype, "cut": cut, "pairs": len(pooled), **_errors(pooled, rows)})
    return lines


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
