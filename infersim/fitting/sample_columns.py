"""Cells of a samples table as numbers, truths and names, with a mask of those that are not what they must be.

Works on the distinct values of a column, so that a table of any length costs a few passes in numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.fitting.sample_schema import NOT_SAID, Rule

Mask = npt.NDArray[np.bool_]

NUMBERS = (Rule.COUNT, Rule.POSITIVE, Rule.AMOUNT, Rule.NUMBER)

_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A column's values in their final type, and which are empty or break the rule (never both)."""

    values: npt.NDArray[Any]
    empty: Mask
    broken: Mask


def read_cells(column: pd.Series[Any], rule: Rule) -> Cells:
    """Read `column` by `rule`: float64 for numbers, object (True, False, None) for truths, text for names."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if rule in NUMBERS and numeric:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        empty = np.isnan(values)
        return Cells(values=values, empty=empty, broken=~empty & ~_obeys(values, rule))
    codes, distinct = pd.factorize(column.map(_distinguishable).astype(object))
    known = np.array([*distinct, None], dtype=object)  # None last, where the code -1 of an empty cell points
    said = np.array([not is_empty(value) for value in known])
    if rule in NUMBERS:
        values = np.array([_as_number(value) for value in known])
        understood = _obeys(values, rule)
    else:
        convert: Callable[[Any], Any] = _as_truth if rule is Rule.TRUTH else _as_name
        values = np.array([convert(value) for value in known], dtype=object)
        understood = np.array([value is not None for value in values])
    return Cells(values=values[codes], empty=~said[codes], broken=(said & ~understood)[codes])


def is_empty(value: object) -> bool:
    """Whether a cell says nothing."""
    if isinstance(value, str):
        return value.strip().lower() in NOT_SAID
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    return value is None or value is pd.NA


def _distinguishable(value: object) -> object:
    """`value`, or its text where equality does not tell it apart: True equals 1, and lists have no hash."""
    return value if isinstance(value, Hashable) and not isinstance(value, bool) else str(value)


def _obeys(values: npt.NDArray[np.float64], rule: Rule) -> Mask:
    """Whether each number is what `rule` asks for; not-a-number never is."""
    obeys: Mask = np.isfinite(values)
    if rule is Rule.COUNT:
        whole = np.floor(np.where(obeys, values, 0.5)) == values
        obeys = obeys & whole & (values >= 1) & (values <= 1e15)
    elif rule is Rule.POSITIVE:
        obeys = obeys & (values >= 1e-3) & (values <= 1e9)
    elif rule is Rule.AMOUNT:
        obeys = obeys & (values >= 0)
    return obeys


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _as_truth(value: object) -> bool | None:
    return _TRUTHS.get(str(value).strip().lower())


def _as_name(value: object) -> str | None:
    return None if is_empty(value) else str(value).strip()
