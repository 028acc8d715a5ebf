"""The verdict on a validation: how far off predictions and speedups are, and whether intervals hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.fitting.samples.identity import Overlap
from infersim.fitting.validation.error_table import ALL
from infersim.fitting.validation.validation import Validation
from infersim.report import rounding
from infersim.report.notes import kernel_notes
from infersim.report.verdict import Verdict, as_sentence, enumeration

if TYPE_CHECKING:
    import pandas as pd

_TITLES = {
    "gemm": "GEMMs",
    "sparse_gemm": "2:4 GEMMs",
    "attention.prefill": "prefill attention",
    "attention.decode": "decode attention",
    "memory": "memory-bound kernels",
    "launch": "launches",
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
    return Verdict(sentences=tuple(map(as_sentence, sentences)), notes=tuple(_notes(found)))


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
    yield from kernel_notes(found.predictions.assign(calibration=found.calibration.value))
    if found.overlap in _OVERLAPS:
        yield _OVERLAPS[found.overlap]
    if found.left_out:
        counts = [f"{rows:,} of {reason}" for reason, rows in found.left_out.items()]
        yield f"Rows left out: {enumeration(counts)}."
