"""Errors of predictions by kind, data type and shape class; one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.energy import POWER
from infersim.domain.arrays import Array
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

ORIGINS = ("source", "version", "timed")
NOT_SAID = "not said"

_USED = (
    *ORIGINS,
    *("kind", "phase", "latency_us", "predicted_us", "lower_us", "upper_us", "roofline_us", "in_range"),
    *("m", "n", "k", "batch", "context_len", "num_heads", "num_kv_heads", "read_bytes", "write_bytes"),
    *("exchange", "gpus", "message_bytes"),
    *("tokens", "routing"),
    *("power_w", *POWER_COLUMNS),
)
"""Columns that errors and shape classes are stated by."""


def error_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Errors of `predictions` (samples with the columns of `predict_samples`), as fractions.

    Columns: `kind` (attention parted by phase, as the cost model has it), `dtype`, `division`,
    `shape_class`, `rows`, `outside_range` (rows outside the calibrated range), `mape`, `median_ape`,
    `p90_ape`, `bias`, `coverage` and mean `log_half_width` of the 80 % interval, and `roofline_mape`,
    `roofline_median_ape` of the plain roofline. The first row of each kind and data type has division and
    class "all"; a division in which all rows are of one class is left out. Kind `power` is of watts, where
    they were measured: of kernels of LEAST_US or more.
    """
    errors = Errors()
    errors.add(predictions)
    return errors.table()


class Errors:
    """The errors of predictions that come part by part: two numbers a row and its classes are kept."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, predictions: pd.DataFrame) -> None:
        """Take in rows with the columns of `predict_samples`."""
        dtypes = predictions["dtype"].fillna("") if "dtype" in predictions.columns else ""
        used = [name for name in _USED if name in predictions.columns]
        parted = predictions[used].assign(cost_kind=cost_kinds(predictions), dtype=dtypes)
        for rows in (parted, _watts(parted)):
            for (kind, dtype), group in rows.groupby(["cost_kind", "dtype"], sort=True):
                self._groups.setdefault((str(kind), str(dtype)), _Group()).add(group)

    def table(self) -> pd.DataFrame:
        """What `error_table` gives of all rows together."""
        lines = [
            {"kind": kind, "dtype": dtype, "division": division, "shape_class": name, **found}
            for (kind, dtype), group in sorted(self._groups.items())
            for division, name, found in group.lines()
        ]
        return pd.DataFrame(lines, columns=list(ERROR_COLUMNS))


def _watts(parted: pd.DataFrame) -> pd.DataFrame:
    """Rows whose power was measured and predicted, with watts in place of microseconds."""
    if "predicted_w" not in parted:
        return parted.iloc[:0]
    known = (parted["power_w"] > 0) & parted["predicted_w"].notna() & (parted["latency_us"] >= LEAST_US)
    measured = dict(zip(_MICROSECONDS, ("power_w", *POWER_COLUMNS), strict=True))
    watts = {name: parted[of] for name, of in measured.items()}
    return parted.assign(**watts, roofline_us=np.nan, cost_kind=POWER.name)[known]


_MICROSECONDS = ("latency_us", "predicted_us", "lower_us", "upper_us")


def cost_kinds(frame: pd.DataFrame) -> npt.NDArray[np.object_]:
    """The kind of each sample as the cost model parts them: `gemm`, `attention.prefill`, ..."""
    kinds = frame["kind"].to_numpy(dtype=object)
    if "phase" in frame.columns:
        for phase in frame["phase"].dropna().unique():
            of_phase = (frame["phase"] == phase).to_numpy(dtype=bool, na_value=False)
            kinds = np.where((kinds == Kind.ATTENTION) & of_phase, f"{Kind.ATTENTION}.{phase}", kinds)
    return kinds


class _Group:
    """Errors of one kind and data type; sums of what is averaged, and the errors themselves for quantiles."""

    def __init__(self) -> None:
        self._errors: list[Array] = []
        self._roofline: list[Array] = []
        self._classes: dict[str, list[npt.NDArray[np.unsignedinteger[Any]]]] = {}
        self._sums: dict[tuple[str, str], _Sums] = {}
        self._codes: dict[str, dict[str, int]] = {}

    def add(self, group: pd.DataFrame) -> None:
        measured = _column(group, "latency_us")
        logs = np.log(_column(group, "predicted_us") / measured)
        lower, upper = _column(group, "lower_us"), _column(group, "upper_us")
        inside = (lower <= measured) & (measured <= upper)
        widths = np.log(upper / lower)
        outside = ~group["in_range"].to_numpy(dtype=np.bool_)
        self._errors.append(np.abs(_column(group, "predicted_us") / measured - 1.0))
        self._roofline.append(np.abs(_column(group, "roofline_us") / measured - 1.0))
        calibrated = np.where(outside, "outside", "calibrated")
        shapes = shape_classes(group, group["kind"].iloc[0])
        divisions = {**shapes, "range": calibrated, **dict(_origins(group))}
        for division, classes in ((ALL, np.full(len(group), ALL)), *divisions.items()):
            names, codes = np.unique(classes, return_inverse=True)
            if division != ALL:
                known = _narrow([self._code(division, str(name)) for name in names])
                held = np.broadcast_to(known, len(group)) if len(names) == 1 else known[codes]
                self._classes.setdefault(division, []).append(held)
            for index, name in enumerate(names):
                rows = codes == index
                sums = self._sums.setdefault((division, str(name)), _Sums())
                sums.add(logs[rows], inside[rows], widths[rows], outside[rows])

    def lines(self) -> Iterator[tuple[str, str, dict[str, float]]]:
        """All rows, then those of each class, then those inside and outside the calibrated range."""
        errors, roofline = _whole(self._errors), _whole(self._roofline)
        yield ALL, ALL, self._line((ALL, ALL), errors, roofline, slice(None))
        for division, parts in self._classes.items():
            names = sorted(self._codes[division])
            if len(names) > 1:
                codes = np.concatenate(parts)
                for name in names:
                    rows = codes == self._code(division, name)
                    yield division, name, self._line((division, name), errors, roofline, rows)

    def _code(self, division: str, name: str) -> int:
        known = self._codes.setdefault(division, {})
        return known.setdefault(name, len(known))

    def _line(self, where: tuple[str, str], errors: Array, roofline: Array, rows: Any) -> dict[str, float]:
        """What is said of some rows; of many rows there is one copy at a time."""
        sums = self._sums[where]
        chosen = _copied(errors, rows)
        count = len(chosen)
        said = {
            "rows": count,
            "outside_range": sums.outside,
            "mape": float(chosen.mean()),
            "median_ape": float(np.median(chosen, overwrite_input=True)),
            "p90_ape": float(np.quantile(chosen, 0.9, overwrite_input=True)),
            "bias": sums.logs / count,
            "coverage": sums.inside / count,
            "log_half_width": sums.widths / count / 2.0,
        }
        del chosen
        plain = _copied(roofline, rows)
        mean = float(plain.mean())
        return said | {
            "roofline_mape": mean,
            "roofline_median_ape": float(np.median(plain, overwrite_input=True)),
        }


@dataclass(slots=True)
class _Sums:
    """Over the rows of one class."""

    logs: float = 0.0
    widths: float = 0.0
    inside: int = 0
    outside: int = 0

    def add(
        self, logs: Array, inside: npt.NDArray[np.bool_], widths: Array, outside: npt.NDArray[np.bool_]
    ) -> None:
        self.logs += float(logs.sum())
        self.widths += float(widths.sum())
        self.inside += int(inside.sum())
        self.outside += int(outside.sum())


def _copied(values: Array, rows: Any) -> Array:
    """Some of the values, to be sorted in place; a mask copies already."""
    return values.copy() if isinstance(rows, slice) else values[rows]


def _narrow(codes: list[int]) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Codes in as few bytes as they need."""
    return np.array(codes, dtype=np.min_scalar_type(max(codes)))


def _whole(parts: list[Array]) -> Array:
    """The parts as one array, in place of them."""
    if len(parts) > 1:
        parts[:] = [np.concatenate(parts)]
    return parts[0]


def _origins(group: pd.DataFrame) -> Iterator[tuple[str, npt.NDArray[np.str_]]]:
    """Whose measurements rows are, and how they were timed, as far as samples say so."""
    for name in ORIGINS:
        if name in group.columns:
            yield name, group[name].fillna(NOT_SAID).to_numpy(dtype=str)
        else:
            yield name, np.full(len(group), NOT_SAID)


def _column(rows: pd.DataFrame, name: str) -> Array:
    return rows[name].to_numpy(dtype=np.float64)
