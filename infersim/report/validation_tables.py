"""The tables of a validation: errors by kind and shape class, and errors of speedups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infersim.cost.regimes import DECODE_MAX_M, LARGE_MIN_NK, PREFILL_MIN_M
from infersim.fitting.error_table import ALL
from infersim.fitting.shape_classes import LARGE_MEMORY_BYTES, LONG_CONTEXT, TILE, VECTOR
from infersim.report import rounding
from infersim.report.table import Column, Table, number_column

if TYPE_CHECKING:
    import pandas as pd

    from infersim.fitting.validation import Validation

_MEANINGS = {
    ("tokens", "decode"): f"m up to {DECODE_MAX_M}",
    ("tokens", "prefill"): f"m from {PREFILL_MIN_M}",
    ("size", "large"): f"n x k from 2^{math.log2(LARGE_MIN_NK):.0f}",
    ("alignment", "aligned"): f"n, k of {TILE}",
    ("alignment", "part-aligned"): f"n, k of {VECTOR}",
    ("context", "long"): f"from {LONG_CONTEXT} tokens",
}
"""What the classes of a division mean, where their names do not say it."""

_INTERVAL_CAPTION = (
    "Bias: above 0 where predictions are too slow. Covered: rows within their 80 % interval, whose mean "
    "half-width stands beside it."
)


def validation_tables(found: Validation) -> tuple[Table, ...]:
    """Errors of latencies, and those of speedups where there are pruned pairs."""
    speedups = () if found.speedups.empty else (speedup_report_table(found.speedups),)
    return (error_report_table(found.errors), *speedups)


def error_report_table(errors: pd.DataFrame) -> Table:
    """Errors of an `error_table`, one section for each kind and data type."""
    labels = (errors["kind"] + " " + errors["dtype"]).str.strip()
    outside = number_column("outside\nrange", "outside_range", rounding.count)
    return Table(
        title="Errors of predicted latency",
        frame=errors,
        columns=(
            Column(heading="shapes", keys=("kind", "division", "shape_class"), text=_shapes, numeric=False),
            number_column("rows", "rows", rounding.count),
            *((outside,) if 0 < errors["outside_range"].sum() < errors["rows"].sum() else ()),
            number_column("mean", "mape", rounding.fraction),
            number_column("median", "median_ape", rounding.fraction),
            number_column("90 %", "p90_ape", rounding.fraction),
            number_column("bias", "bias", _from_log),
            number_column("covered", "coverage", rounding.share),
            number_column("interval\n±", "log_half_width", _from_log),
            number_column("roofline\nmean", "roofline_mape", rounding.fraction),
            number_column("roofline\nmedian", "roofline_median_ape", rounding.fraction),
        ),
        labels=tuple(labels),
        caption=f"{_INTERVAL_CAPTION} Roofline: max(FLOPs / peak, bytes / bandwidth) of the datasheet.",
    )


def speedup_report_table(speedups: pd.DataFrame) -> Table:
    """Errors of a `speedup_table`, one section for each data type."""
    return Table(
        title="Errors of the speedups of pruned GEMMs",
        frame=speedups,
        columns=(
            Column(heading="cut", keys=("cut",), numeric=False),
            number_column("pairs", "pairs", rounding.count),
            number_column("mean", "mape", rounding.fraction),
            number_column("median", "median_ape", rounding.fraction),
            number_column("90 %", "p90_ape", rounding.fraction),
            number_column("covered", "coverage", rounding.share),
            number_column("interval\n±", "log_half_width", _from_log),
            number_column("FLOPs ratio\nmean", "flops_mape", rounding.fraction),
            number_column("FLOPs ratio\nmedian", "flops_median_ape", rounding.fraction),
            number_column("roofline\nmedian", "roofline_median_ape", rounding.fraction),
        ),
        labels=tuple(speedups["dtype"]) if speedups["dtype"].nunique() > 1 else (),
        caption="Dense n and k from 2048; an axis cut to 0.4 to 0.9 of its length, all else equal.",
    )


def validation_frame(errors: pd.DataFrame, speedups: pd.DataFrame) -> pd.DataFrame:
    """All errors for machines; speedups have kind "gemm speedup", division "cut", and pairs as rows."""
    import pandas as pd

    renamed = speedups.rename(columns={"cut": "shape_class", "pairs": "rows"})
    rows = renamed.assign(kind="gemm speedup", division="cut")
    columns = [*errors, *(name for name in rows if name not in errors)]
    parts = [part for part in (errors, rows) if len(part)] or [errors]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _shapes(kind: str, division: str, shape_class: str) -> str:
    """`all`, or a class with what it means."""
    if division == ALL:
        return ALL
    meaning = _MEANINGS.get((division, shape_class))
    if kind == "memory" and shape_class == "large":
        meaning = f"from {rounding.prefixed(LARGE_MEMORY_BYTES, 'B')}"
    if division == "range":
        return {"calibrated": "in the calibrated range", "outside": "outside of it"}[shape_class]
    return f"{shape_class} ({meaning})" if meaning else shape_class


def _from_log(value: float) -> str:
    """A difference of logs as a fraction."""
    return rounding.fraction(math.expm1(value))
