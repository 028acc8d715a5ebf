"""The rows that a run measures: those of a plan, in an order that mixes them, with a digest to tell them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.shapes import WeightForm
from infersim.fitting.plans.reading import planned_samples, read_measurement_plan
from infersim.fitting.plans.shapes import attention_dtype
from infersim.fitting.samples.schema import Kind

SPARSE_DTYPES = ("bf16", "fp16")
"""Types that PyTorch multiplies 2:4 weights in; which n and k, the plan says (`multiple_2_4`)."""

ORDER_SEED = 0
PASS = "pass"


def rows_to_measure(
    plan: str | Path, *, dtypes: Sequence[str] | None = None, with_2_4: bool = False, passes: int = 1
) -> list[dict[str, Any]]:
    """Rows of `plan` as dictionaries without empty cells, shuffled: drift must not look like a dimension.

    `dtypes` replaces the plan's data types of GEMMs; `with_2_4` adds each 16-bit GEMM that has a 2:4 form in
    it. Memory-bound rows get the data type that attention runs in. With several `passes` each row is there
    so many times, the whole plan between two of them, numbered in the column `pass`: a disturbance that lasts
    is outvoted by the median of the passes. The same arguments give the same rows in the same order.

    Raises what reading the plan raises, and InfersimError where no GEMM has a 2:4 form.
    """
    chosen = read_measurement_plan(plan)
    planned = planned_samples(chosen, dtypes=dtypes)
    between_layers = attention_dtype((dtypes or chosen.tables.dtypes)[0])
    rows = [_said(row, between_layers) for row in planned.to_dict("records")]
    if with_2_4:
        multiple = chosen.tables.multiple_2_4
        sparse = [_in_2_4(row) for row in rows if _has_2_4_form(row, multiple)]
        if not sparse:
            raise InfersimError(f"{plan}: no GEMM in {' or '.join(SPARSE_DTYPES)} has a 2:4 form")
        rows += sparse
    if passes < 1:
        raise InvalidValueError("passes", passes, "at least 1")
    order = np.random.default_rng(ORDER_SEED)
    return [
        {**rows[place], PASS: number}
        for number in range(1, passes + 1)
        for place in order.permutation(len(rows))
    ]


def digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of the rows in their order."""
    return hashlib.sha256("\n".join(json.dumps(row, sort_keys=True) for row in rows).encode()).hexdigest()


def _said(row: Mapping[Any, Any], memory_dtype: str) -> dict[str, Any]:
    """`row` without empty cells, whole numbers as such."""
    said = {str(name): _plain(value) for name, value in row.items() if not pd.isna(value)}
    return said | {"dtype": memory_dtype} if said["kind"] == Kind.MEMORY else said


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)


def _has_2_4_form(row: Mapping[str, Any], multiple: int) -> bool:
    return (
        row["kind"] == Kind.GEMM
        and row["dtype"] in SPARSE_DTYPES
        and row["n"] % multiple == 0
        and row["k"] % multiple == 0
    )


def _in_2_4(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "kind": Kind.SPARSE_GEMM.value, "sparsity": WeightForm.SPARSE_2_4.value}
