"""The CUTLASS profiler's CSV report (`cutlass_profiler --output=FILE`, CUTLASS 2.x to 4.x): GEMMs.

Facts of that format, from tools/profiler: Runtime in milliseconds, of the kernel alone; types with their
layout (`bf16:row`); D[m,n] = A[m,k] B[k,n]. 2:4 kernels (`spgemm`) hold the weights in A, so that their M
is our N, and their k counts the zeros. By default the profiler rotates over enough operands to find them
cold. Of several kernels of one shape, in whatever layout, the fastest is the sample: a library would choose
it. The GPU is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from infersim.fitting.samples.converted import Converted, leave_out
from infersim.fitting.samples.schema import Kind
from infersim.fitting.samples.spellings import dtype_named

US_PER_MS = 1000.0

COLUMNS = ("OperationKind", "Operation", "Status", "m", "n", "k", "A", "B", "Runtime")

_KINDS = {"gemm": Kind.GEMM.value, "spgemm": Kind.SPARSE_GEMM.value}
_GOOD = ("passed", "not_verified", "not_run", "notverified", "")
"""Dispositions of a kernel that ran and was not found wrong."""


def is_report(columns: Iterable[object]) -> bool:
    """Whether a table has the columns of a profiler's report."""
    return set(COLUMNS) <= set(map(str, columns))


def samples_of_report(frame: pd.DataFrame) -> Converted:
    """The fastest kernel of each shape, and counts of the other rows by reason."""
    words = frame[["OperationKind", "Operation", "Status", "A", "B"]].astype(str).apply(_stripped)
    kind = words["OperationKind"].str.lower()
    types = pd.DataFrame({side: words[side].str.partition(":")[0].map(dtype_named) for side in "AB"})
    runtime = pd.to_numeric(frame["Runtime"], errors="coerce")
    reasons = {
        "no GEMM": ~kind.isin(_KINDS),
        "did not run": (words["Status"].str.lower() != "success") | (runtime == 0),
        "found wrong": ~_words(frame, "Disposition").isin(_GOOD),
        "batched": _count(frame, "batch_count") > 1,
        "data types of A and B": types["A"].isna() | (types["A"] != types["B"]),
    }
    kept = leave_out(frame.assign(_kind=kind.map(_KINDS), _dtype=types["A"]), reasons)
    samples = _samples(kept.samples, words["Operation"])
    slower = _slower(samples)
    found = leave_out(samples, {"slower kernel of the same shape": slower})
    return Converted(samples=found.samples, left_out={**kept.left_out, **found.left_out})


def _samples(rows: pd.DataFrame, operation: pd.Series[str]) -> pd.DataFrame:
    sparse = rows["_kind"] == Kind.SPARSE_GEMM.value
    runtime = pd.to_numeric(rows["Runtime"], errors="coerce")
    dtype = rows["_dtype"].astype(object)
    on_tensor_cores = _words(rows, "op_class").eq("tensorop") | operation.loc[rows.index].str.contains("tf32")
    return pd.DataFrame(
        {
            "gpu": None,
            "kind": rows["_kind"],
            "dtype": dtype.mask((dtype == "fp32") & on_tensor_cores, "tf32"),
            "m": rows["m"].where(~sparse, rows["n"]),
            "n": rows["n"].where(~sparse, rows["m"]),
            "k": rows["k"],
            "sparsity": sparse.map({True: "2:4", False: None}),
            "includes_act_quant": False,
            # A cell that is no number stays, so that the reader names it with its line.
            "latency_us": (runtime * US_PER_MS).astype(object).where(runtime.notna(), rows["Runtime"]),
            "source": "cutlass",
            "version": operation.loc[rows.index],
        },
        index=rows.index,
    )


def _slower(samples: pd.DataFrame) -> pd.Series[bool]:
    """Rows of which another has the same shape and a shorter time."""
    time = pd.to_numeric(samples["latency_us"], errors="coerce")
    shape = [samples[name].astype(str) for name in ("kind", "dtype", "m", "n", "k")]
    first = time.groupby(shape).transform(
        lambda times: times.index == times.idxmin() if times.notna().any() else True
    )
    return time.notna() & ~first.astype(bool)


def _words(frame: pd.DataFrame, column: str) -> pd.Series[str]:
    if column not in frame.columns:
        return pd.Series("", index=frame.index)
    return frame[column].fillna("").astype(str).str.strip().str.lower()


def _count(frame: pd.DataFrame, column: str) -> pd.Series[float]:
    if column not in frame.columns:
        return pd.Series(1.0, index=frame.index)
    return pd.to_numeric(frame[column], errors="coerce").fillna(1.0)


def _stripped(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.str.strip()
