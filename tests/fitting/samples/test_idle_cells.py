"""Cells that a row's kind does not need say nothing; those it needs are checked before any arithmetic."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infersim.fitting.calibration import calibrate
from infersim.fitting.samples.account import BadSamplesError
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.schema import Rule, read_cells
from infersim.fitting.validation.validation import validate
from tests.arguments.hostile import Unprintable
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, table

IDLE: dict[str, dict[str, Any]] = {
    "gemm": {"context_len": 1e300, "head_dim": "wide", "phase": 7, "read_bytes": -1, "kernels": "many"},
    "attention": {"m": math.inf, "n": 10**400, "op": [], "includes_act_quant": "perhaps"},
    "memory": {"k": "x", "num_heads": 0.5, "kv_dtype": "fp64", "includes_act_quant": "so"},
    "launch": {"m": "1e999", "weight_copies": "none of it", "read_bytes": "all"},
}


@pytest.mark.parametrize("row", [GEMM, ATTENTION, MEMORY, LAUNCH], ids=lambda row: str(row["kind"]))
def test_what_a_kind_does_not_need_is_not_looked_at(row: dict[str, Any]) -> None:
    idle = IDLE[str(row["kind"])]
    read = read_samples(table(row | idle))
    plain = read_samples(table(row))
    pd.testing.assert_frame_equal(read.frame[list(row)], plain.frame[list(row)])
    found, wanted = (validate("h100-sxm", frame).predictions for frame in (read.frame, plain.frame))
    assert found["predicted_us"].tolist() == wanted["predicted_us"].tolist()


def test_idle_cells_cost_no_other_row_its_numbers() -> None:
    rows = [GEMM | {"context_len": 1e300}, GEMM | {"context_len": "long"}, ATTENTION]
    frame = read_samples(table(*rows)).frame
    assert frame["context_len"].isna().tolist() == [True, True, False]
    assert frame["m"].tolist()[:2] == [16, 16]


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (GEMM, "m", 10**400),
        (GEMM, "m", [1]),
        (GEMM, "m", (1, [2])),
        (GEMM, "m", date(2026, 1, 1)),
        (GEMM, "m", pd.NaT),
        (GEMM, "m", Unprintable()),
        (ATTENTION, "context_len", 1e300),
        (ATTENTION, "num_kv_heads", "8 of them"),
        (MEMORY, "read_bytes", "a GiB"),
        (MEMORY, "write_bytes", 10**400),
        (LAUNCH, "latency_us", b"2"),
        (LAUNCH, "kernels", 1e300),
    ],
)
def test_what_it_needs_is_named_and_set_aside(row: dict[str, Any], column: str, value: object) -> None:
    rows = table(row, row | {column: value})
    with pytest.raises(BadSamplesError, match=f"line 2: {column} = "):
        read_samples(rows)
    read = read_samples(rows, skip_bad=True)
    assert (len(read.frame), len(read.set_aside)) == (1, 1)
    with pytest.raises(BadSamplesError):
        calibrate("h100-sxm", rows)


def test_numbers_in_other_dress_are_read() -> None:
    cells = read_cells(pd.Series(["12", 12, 12.0, Decimal(12), np.int8(12), None, " n/a "]), Rule.COUNT)
    assert cells.values[:5].tolist() == [12.0] * 5
    assert cells.empty.tolist() == [False] * 5 + [True] * 2
    assert not cells.broken.any()
