"""The verdict and the tables of a validation: errors by kind and shape class, of speedups, and coverage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.cost.regimes import (
    DECODE_MAX_M,
    LARGE_MIN_NK,
    LONG_BYTES,
    MIDDLE_BYTES,
    PREFILL_MIN_M,
)
from infersim.domain.profile import Calibration
from infersim.fitting.samples.identity import Overlap
from infersim.fitting.samples.shapes import LARGE_MEMORY_BYTES, LONG_CONTEXT, TILE, VECTOR
from infersim.fitting.validation.common_delay import common_delay_us
from infersim.fitting.validation.error_table import ALL
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column
from infersim.report.core.trust import grade_line, outside_notes, trust_in
from infersim.report.core.verdict import Verdict, as_sentence, enumeration

if TYPE_CHECKING:
    import pandas as pd

    from infersim.fitting.validation.validation import Validation


_TITLES = {
    "gemm": "GEMMs",
    "sparse_gemm": "2:4 GEMMs",
    "attention.prefill": "prefill attention",
    "attention.decode": "decode attention",
    "memory": "memory-bound kernels",
    "moe": "expert layers",
    "collective": "exchanges between GPUs",
    "launch": "launches",
    "power": "power",
}
"""Kinds as the verdict names them."""

_OVERLAPS = {
    Overlap.ALL: "These are the samples that were fitted: on other shapes errors are larger.",
    Overlap.UNKNOWN: "Whether single rows were fitted too cannot be known: the fit records whole sets.",
}


def validation_verdict(found: Validation) -> Verdict:
    """Judge a validation."""
    summed = found.errors[found.errors["division"] == ALL]
    sentences = [_kind_sentence(row, found.gpu) for _, row in summed.iterrows()]
    sentences += [_speedup_sentence(row) for _, row in found.speedups.iterrows() if row["cut"] == "n or k"]
    return Verdict(
        sentences=tuple(map(as_sentence, sentences)),
        notes=tuple(_notes(found)),
        grade=" ".join(
            (grade_line([found.calibration.value], [found.gpu]), _OVERLAPS.get(found.overlap, ""))
        ).strip(),
    )


def _kind_sentence(row: pd.Series, gpu: str) -> str:
    subject = f"{row['dtype']} {_TITLES[row['kind']]}".strip()
    mean, median, p90 = map(rounding.fraction, (row["mape"], row["median_ape"], row["p90_ape"]))
    width, covered = rounding.share(math.expm1(row["log_half_width"])), rounding.share(row["coverage"])
    known = not math.isnan(row["roofline_mape"])
    roofline = f", where the plain roofline is off by {rounding.fraction(row['roofline_mape'])}"
    return (
        f"mean error of {subject} on {gpu}: {mean} (median {median}, 90 % of the rows within {p90})"
        f"{roofline if known else ''}; the 80 % intervals, {width} wide to either side, hold {covered} of "
        f"{row['rows']:,} rows"
    )


def _speedup_sentence(row: pd.Series) -> str:
    predicted, flops = map(rounding.fraction, (row["median_ape"], row["flops_median_ape"]))
    return (
        f"median error of the speedups of {row['dtype']} GEMMs cut along n or k: {predicted} over "
        f"{row['pairs']:,} pairs, where the FLOPs ratio is off by {flops}"
    )


def _notes(found: Validation) -> Iterator[str]:
    yield from trust_in([found.calibration.value], [found.gpu])
    if found.calibration is not Calibration.NONE:
        yield from outside_notes(found.outside_range, found.rows)
    delay_us = common_delay_us(found.predictions)
    if delay_us is not None:
        yield (
            f"Short kernels take {rounding.quantity(delay_us)} us longer than predicted, whatever they do: if"
            " each was timed alone on the GPU, not one after the other, say so (timed=alone)."
        )
    if found.overlap in _OVERLAPS:
        yield _OVERLAPS[found.overlap]
    if found.left_out:
        counts = [f"{rows:,} of {reason}" for reason, rows in found.left_out.items()]
        yield f"Rows left out: {enumeration(counts)}."


_MEANINGS = {
    ("tokens", "decode"): f"m up to {DECODE_MAX_M}",
    ("tokens", "prefill"): f"m from {PREFILL_MIN_M}",
    ("size", "large"): f"n x k from 2^{math.log2(LARGE_MIN_NK):.0f}",
    ("alignment", "aligned"): f"n, k of {TILE}",
    ("alignment", "part-aligned"): f"n, k of {VECTOR}",
    ("context", "long"): f"from {LONG_CONTEXT} tokens",
    ("size", "short"): f"below {MIDDLE_BYTES / 2**10:.0f} KiB",
    ("size", "long"): f"from {LONG_BYTES / 2**20:.0f} MiB",
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
            number_column("bias", "bias", rounding.from_log),
            number_column("covered", "coverage", rounding.share),
            number_column("interval\n±", "log_half_width", rounding.from_log),
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
            number_column("interval\n±", "log_half_width", rounding.from_log),
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
    if division == "gpus":
        return f"{shape_class} GPUs"
    if division == "range":
        return {"calibrated": "in the calibrated range", "outside": "outside of it"}[shape_class]
    return f"{shape_class} ({meaning})" if meaning else shape_class
