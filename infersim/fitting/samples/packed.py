"""Samples in as few bytes as they need, so that ten million fit where a frame of them would not.

Held in the parts in which they were read; each comes back as `read_samples` would give it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from infersim.fitting.samples.reading import finished
from infersim.fitting.samples.schema import COLUMNS, NUMBERS, Rule

_RULES = {column.name: column.rule for column in COLUMNS}

NARROW = (np.float16, np.int32, np.float32)
"""What holds a number in fewer bytes, tried in this order: the first that loses nothing is taken."""

MOST_WORDS = 2**15
"""Different texts of a part up to which a column is held as their numbers."""


class PackedSamples:
    """Checked rows of samples, part by part."""

    def __init__(self) -> None:
        self._parts: list[tuple[pd.DataFrame, dict[str, Any]]] = []
        self._said: dict[str, int] = {}
        self._empty: pd.DataFrame | None = None

    def add(self, part: pd.DataFrame) -> None:
        """Take in rows as `check_rows` types them; a part without rows counts where there is no other."""
        if not len(part):
            self._empty = part if self._empty is None else self._empty
            return
        held = {str(name): _packed(str(name), part[name]) for name in part.columns}
        types = {str(name): part[name].dtype for name in part.columns}
        self._parts.append((pd.DataFrame(held, index=pd.RangeIndex(len(part)), copy=False), types))
        for name in held:
            self._said[name] = self._said.get(name, 0) + int(part[name].notna().sum())

    def __len__(self) -> int:
        return sum(len(part) for part, _ in self._parts)

    def by_kind(self) -> dict[str, int]:
        """Rows of each kind."""
        counts = Counter[str]()
        for part, _ in self._parts:
            of_part = part["kind"].astype(object).value_counts()
            counts.update({str(kind): int(rows) for kind, rows in of_part.items()})
        return dict(counts)

    def clear(self) -> None:
        """Let all rows go."""
        self._parts.clear()

    def parts(self) -> Iterator[pd.DataFrame]:
        """The rows, in order, as frames of `read_samples` of the same columns and types; one at least."""
        rows = len(self)
        gaps = {name for name, said in self._said.items() if said < rows}
        if not rows and self._empty is not None:
            yield finished(self._empty)
        for part, types in self._parts:
            plain = {
                name: _plain(part[name], types[name]) if name in part.columns else _nothing(name, part.index)
                for name in self._said
            }
            yield finished(pd.DataFrame(plain, index=part.index, copy=False), gaps)

    def frame(self) -> pd.DataFrame:
        """All rows in one frame."""
        parts = list(self.parts())
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _packed(name: str, column: pd.Series[Any]) -> Any:
    wordy = column.dtype == object or isinstance(column.dtype, pd.StringDtype)
    if wordy and (name in _RULES or _texts(column)):
        codes, distinct = pd.factorize(column)
        if len(distinct) <= MOST_WORDS:
            return pd.Categorical.from_codes(codes, pd.Index(distinct, dtype=object))
    if column.dtype == np.float64:
        values = column.to_numpy()
        for narrow in NARROW:
            with np.errstate(all="ignore"):
                few = values.astype(narrow)
                same = np.array_equal(few.astype(np.float64), values, equal_nan=True)
            if same:
                return few
    return column.array.copy()  # a view would keep the block of all columns of its type


def _texts(column: pd.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")


def _plain(column: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    if not isinstance(column.dtype, pd.CategoricalDtype) or isinstance(dtype, pd.CategoricalDtype):
        return column.astype(dtype)
    words = np.array([*column.cat.categories, None], dtype=object)  # the code -1 of an empty cell: the last
    return pd.Series(words[column.cat.codes.to_numpy()], index=column.index, name=column.name)


def _nothing(name: str, index: pd.Index) -> pd.Series[Any]:
    """A column that a part lacks and another has."""
    numeric = _RULES.get(name, Rule.NAME) in NUMBERS
    return pd.Series(np.nan if numeric else None, index=index, dtype=np.float64 if numeric else object)
