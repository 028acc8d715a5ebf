"""Writes docs/accuracy.csv, the error figures that docs/accuracy.md shows: `make accuracy`.

Figures only, no measured rows. Each GPU is calibrated on few rows and scored on whole matrices and head
layouts that the fit has not seen (`accuracy`); 2:4 speedups are scored with whole models, then whole GPUs
left out (`sparse_accuracy`). Reads published measurements from a folder beside the checkout, and says so
where there is none: the page then stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd

import sparse_accuracy
from accuracy import ATTENTION_ROWS, FILES, MEASURED, held_out_validation, measured_samples

TARGET = Path(__file__).parents[1] / "docs" / "accuracy.csv"
GEMM_ROWS, SEED = 400, 0
DTYPES = ["bf16", "fp8"]
COLUMNS = (
    *("method", "gpu", "kind", "dtype", "fitted_rows", "division", "shape_class", "rows"),
    *("mape", "median_ape", "p90_ape", "bias", "coverage", "log_half_width"),
    *("roofline_mape", "roofline_median_ape", "flops_mape", "flops_median_ape", "computed"),
)
"""`rows` are pairs of a speedup. Errors are fractions of the measured value. `computed`: the day."""

HELD_OUT_SHAPES = "shapes held out"


def main() -> None:
    """Score everything, then write; an interrupted run leaves the old figures."""
    if not MEASURED.is_dir():
        print(f"accuracy: skipped, there are no measurements in {MEASURED}; {TARGET} stays as it is")
        return
    rows = [*_calibrated(), *_sparse()]
    frame = pd.DataFrame(rows).assign(computed=date.today().isoformat()).reindex(columns=list(COLUMNS))
    frame.to_csv(TARGET, index=False, float_format="%.4g", lineterminator="\n")
    print(f"Wrote {len(frame)} error figures to {TARGET}")


def _calibrated() -> Iterator[dict[str, object]]:
    for gpu in FILES:
        for kind, size in (("gemm", GEMM_ROWS), ("attention", ATTENTION_ROWS)):
            for samples in measured_samples(MEASURED, gpu, kind, DTYPES):
                found, _, _ = held_out_validation(gpu, samples, size, SEED)
                said = {"method": HELD_OUT_SHAPES, "gpu": gpu, "fitted_rows": size}
                yield from (said | row for row in _records(found.errors))
                for row in _records(found.speedups):
                    place = {"kind": "gemm speedup", "division": "cut", "shape_class": row["cut"]}
                    yield said | row | place | {"rows": row["pairs"]}
                print(f"{gpu} {kind} {', '.join(samples['dtype'].unique())}: done", file=sys.stderr)


def _records(frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    for row in frame.to_dict("records"):
        yield {str(key): value for key, value in row.items()}


def _sparse() -> Iterator[dict[str, object]]:
    table = sparse_accuracy.read_timings(sparse_accuracy.MEASURED)
    for dtypes in sparse_accuracy.WIDTHS:
        for row in _records(sparse_accuracy.speedup_scores(table, dtypes, None)):
            yield {
                **{key: row[key] for key in ("gpu", "dtype", "rows", "bias")},
                "method": row["way"],
                "kind": "2:4 speedup",
                "division": "all",
                "shape_class": "all",
                "mape": row["mean"],
                "median_ape": row["median"],
                "roofline_mape": row["roofline_mean"],
                "roofline_median_ape": row["roofline_median"],
                "flops_mape": row["nominal_mean"],
                "flops_median_ape": row["nominal_median"],
            }
        print(f"2:4 {', '.join(dtypes)}: done", file=sys.stderr)


if __name__ == "__main__":
    main()
