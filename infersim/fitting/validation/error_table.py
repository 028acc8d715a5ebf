"""Errors of predictions by kind, data type and shape class; one row each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.energy import POWER
from infersim.domain.arrays import Array
from infersim.fitting.fits.intervals import coverage_summary, error_summary
from infersim.fitting.fits.power_fit import LEAST_US
from infersim.fitting.samples.schema import Kind
from infersim.fitting.samples.shapes import shape_classes
from infersim.fitting.validation.predictions import POWER_COLUMNS

ALL = "all"
"""Division and class of the rows that sum a kind up."""

ERROR_COLUMNS = (
    *("kind", "dtype", "division", "shape_class", "rows", "outside_range"),
    *("mape", "median_ape", "p90_ape", "bias", "coverage", "log_half_width"),
    *("roofline_mape", "roofline_median_ape"),
)

_USED = (
    *("kind", "phase", "latency_us", "predicted_us", "lower_us", "upper_us", "roofline_us", "in_range"),
    *("m", "n", "k", "batch", "context_len", "num_heads", "num_kv_heads", "read_bytes", "write_bytes"),
    *("power_w", *POWER_COLUMNS),
)
"""Columns that errors and shape classes are stated by."""


def error_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Errors of `predictions` (samples with the columns of `predict_samples`), as fractions.

    Columns: `kind` (attention parted by phase, as the cost model has it), `dtype`, `division`,
    `shape_class`, `rows`, `outside_range` (rows outside the calibrated range), `mape`, `median_ape`,
    `p90_ape`, `bias`, `coverage` and mean `log_half_width` of the 80 % interval, and `roofline_mape`,
    `roofline_median_ape` of the plain roofline. The first row of each kind and data type has division and
    class "all"; a division in which all rows are of one class is left out. Last, the errors of kind `power`:
    watts of kernels of LEAST_US or more.
    """
    dtypes = predictions["dtype"].fillna("") if "dtype" in predictions.columns else ""
    used = [name for name in _USED if name in predictions.columns]
    parted = predictions[used].assign(cost_kind=cost_kinds(predictions), dtype=dtypes)
    lines = [
        {"kind": kind, "dtype": dtype, "division": division, "shape_class": name, **_errors(rows)}
        for (kind, dtype), group in parted.groupby(["cost_kind", "dtype"], sort=True)
        for division, name, rows in _divided(group)
    ]
    lines += [
        {"kind": POWER.name, "dtype": dtype, "division": ALL, "shape_class": ALL, **_power_errors(rows)}
        for dtype, rows in _metered(parted).groupby("dtype", sort=True)
    ]
    return pd.DataFrame(lines, columns=list(ERROR_COLUMNS))


def _metered(parted: pd.DataFrame) -> pd.DataFrame:
    """The rows whose power was measured and predicted, kernels long enough for a meter."""
    if "predicted_w" not in parted:
        return parted.iloc[:0]
    return parted[
        (parted["power_w"] > 0) & parted["predicted_w"].notna() & (parted["latency_us"] >= LEAST_US)
    ]


def _power_errors(rows: pd.DataFrame) -> dict[str, float]:
    measured = _column(rows, "power_w")
    interval = coverage_summary(measured, _column(rows, "lower_w"), _column(rows, "upper_w"))
    return {
        **asdict(error_summary(_column(rows, "predicted_w"), measured)),
        "outside_range": int((~rows["in_range"]).sum()),
        "coverage": interval.coverage,
        "log_half_width": interval.mean_log_half_width,
        "roofline_mape": math.nan,
        "roofline_median_ape": math.nan,
    }


def cost_kinds(frame: pd.DataFrame) -> npt.NDArray[np.object_]:
    """The kind of each sample as the cost model parts them: `gemm`, `attention.prefill`, ..."""
    kinds = frame["kind"].to_numpy(dtype=object)
    if "phase" in frame.columns:
        for phase in frame["phase"].dropna().unique():
            of_phase = (frame["phase"] == phase).to_numpy(dtype=bool, na_value=False)
            kinds = np.where((kinds == Kind.ATTENTION) & of_phase, f"{Kind.ATTENTION}.{phase}", kinds)
    return kinds


def _divided(group: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """All rows, then those of each class, then those inside and outside the calibrated range."""
    yield ALL, ALL, group
    calibrated = np.where(group["in_range"], "calibrated", "outside")
    divisions = {**shape_classes(group, group["kind"].iloc[0]), "range": calibrated}
    for division, classes in divisions.items():
        names = np.unique(classes)
        if len(names) > 1:
            for name in names:
                yield division, str(name), group[classes == name]


def _errors(rows: pd.DataFrame) -> dict[str, float]:
    measured = _column(rows, "latency_us")
    interval = coverage_summary(measured, _column(rows, "lower_us"), _column(rows, "upper_us"))
    roofline = error_summary(_column(rows, "roofline_us"), measured)
    return {
        **asdict(error_summary(_column(rows, "predicted_us"), measured)),
        "outside_range": int((~rows["in_range"]).sum()),
        "coverage": interval.coverage,
        "log_half_width": interval.mean_log_half_width,
        "roofline_mape": roofline.mape,
        "roofline_median_ape": roofline.median_ape,
    }


def _column(rows: pd.DataFrame, name: str) -> Array:
    return rows[name].to_numpy(dtype=np.float64)
