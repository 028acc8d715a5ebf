"""Errors of the speedups of pruned GEMMs, beside those of two ways to guess them without measuring.

The pairs are found among samples: the same GEMM but for one axis, cut to a part of its length.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import CoverageSummary, ErrorSummary, coverage_summary, error_summary
from infersim.fitting.samples.schema import Kind

Axis = Literal["m", "n", "k"]

Positions: TypeAlias = npt.NDArray[np.int64]

SHORTEST_CUT, LONGEST_CUT = 0.4, 0.9
"""Parts of an axis that pruning leaves: less is hardly the same model, more is a gain within the noise."""

HOW_TIMED = ("weight_copies", "includes_act_quant", "timed")
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
    rows = rows.sort_values([*same, axis, "latency_us"], kind="stable", ignore_index=True)
    large = ((rows["n"] >= SMALLEST_DIMENSION) & (rows["k"] >= SMALLEST_DIMENSION)).to_numpy()
    groups = np.asarray(rows.groupby(same, dropna=False, sort=False).ngroup(), dtype=np.int64)
    dense, pruned = _cuts(groups, rows[axis].to_numpy(dtype=np.float64), large, cap, seed)
    position, latency = rows["position"].to_numpy(), rows["latency_us"].to_numpy(dtype=np.float64)
    length = rows[axis].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "dense": position[dense],
            "pruned": position[pruned],
            "fraction": length[pruned] / length[dense],
            "speedup": latency[dense] / latency[pruned],
        }
    )


def _cuts(
    groups: Positions, length: Array, large: npt.NDArray[np.bool_], cap: int, seed: int
) -> tuple[Positions, Positions]:
    """Dense and pruned row of each pair, `cap` at most; rows come sorted by group, length, latency.

    Equal GEMMs lie side by side as a run of rows. The partners of a run are the runs of its group that are
    0.4 to 0.9 as long: rows side by side too, so that pairs are counted, and drawn, without listing them.
    Their order is by dense run, by pruned run, by dense row, by pruned row.
    """
    new = np.flatnonzero(np.diff(groups, prepend=-1) | (np.diff(length, prepend=-1.0) != 0))
    ends = np.append(new[1:], len(groups))
    first, last = _partners(groups[new], length[new], np.append(new, len(groups)))
    partners = np.where(large[new], last - first, 0)
    through = np.cumsum(partners * (ends - new))
    total = int(through[-1]) if len(through) else 0
    if total > cap:
        ranks = np.sort(np.random.default_rng(seed).choice(total, size=cap, replace=False))
    else:
        ranks = np.arange(total)
    run = np.searchsorted(through, ranks, side="right")
    start, size = new[run], (ends - new)[run]
    within = ranks - (through[run] - partners[run] * size)
    other = np.searchsorted(new, first[run] + within // size, side="right") - 1
    within = within - size * (new[other] - first[run])
    of_other = (ends - new)[other]
    dense, pruned = start + within // of_other, new[other] + within % of_other
    return dense.astype(np.int64), pruned.astype(np.int64)


def _partners(groups: Positions, length: Array, starts: Positions) -> tuple[Positions, Positions]:
    """First row, and the one after the last, of what each run of equal GEMMs is cut to.

    Lengths are whole numbers: the bounds are stepped to where the quotient itself is within the limits.
    """
    shortest, longest = np.floor(SHORTEST_CUT * length) - 1, np.floor(LONGEST_CUT * length) + 2
    for _ in range(3):
        shortest = np.where(shortest / length < SHORTEST_CUT, shortest + 1, shortest)
        longest = np.where(longest / length > LONGEST_CUT, longest - 1, longest)
    known = np.unique(length)
    place = groups * len(known) + np.searchsorted(known, length)
    first = np.searchsorted(place, groups * len(known) + np.searchsorted(known, shortest))
    last = np.searchsorted(place, groups * len(known) + np.searchsorted(known, longest, side="right"))
    first_row: Positions = starts[first]
    end_row: Positions = starts[np.maximum(last, first)]
    return first_row, end_row


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
