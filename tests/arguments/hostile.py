"""Values that no argument was meant for, made anew each time they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd


class Unprintable:
    """Fails where it is printed, compared, measured or made an array."""

    def _fail(self, *_: object) -> None:
        raise RuntimeError("touched")

    __array__ = __eq__ = __len__ = __iter__ = __float__ = __repr__ = _fail  # type: ignore[assignment]
    __hash__ = object.__hash__


def _nested() -> list[object]:
    found: list[object] = []
    for _ in range(2000):
        found = [found]
    return found


HOSTILE: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "minus inf": lambda: -math.inf,
    "minus one": lambda: -1,
    "zero": lambda: 0,
    "minus zero": lambda: -0.0,
    "one and a half": lambda: 1.5,
    "tiny": lambda: 5e-324,
    "a large integer": lambda: 2**63,
    "a larger integer": lambda: 10**30,
    "an integer beyond floats": lambda: 10**400,
    "true": lambda: True,
    "numpy's false": lambda: np.bool_(False),
    "float16 nan": lambda: np.float16("nan"),
    "int8": lambda: np.int8(-3),
    "complex": lambda: 1 + 2j,
    "Decimal": lambda: Decimal("0.5"),
    "Fraction": lambda: Fraction(1, 3),
    "no text": lambda: "",
    "a blank": lambda: " ",
    "text": lambda: "false",
    "digits": lambda: "128",
    "markup": lambda: "[red]%s{0}</script>",
    "a zero byte": lambda: "a\0b",
    "half a character": lambda: "\ud800",
    "long text": lambda: "x" * 100_000,
    "numpy's text": lambda: np.str_("nan"),
    "bytes": lambda: b"bf16",
    "a path to nothing": lambda: Path("nowhere.csv"),
    "a folder": lambda: Path(),
    "an empty list": list,
    "an empty mapping": dict,
    "a mapping": lambda: {"a": 1},
    "a mapping of numbers": lambda: {1: math.nan},
    "a list": lambda: [1, 2],
    "a list of nothing": lambda: [None],
    "a list of texts": lambda: ["a", "b"],
    "a ragged list": lambda: [[1], [1, 2]],
    "a deep list": _nested,
    "a set": lambda: {3, 1},
    "a generator": lambda: (each for each in (1, "a")),
    "an object": object,
    "a class": lambda: dict,
    "a function": lambda: len,
    "an unprintable object": Unprintable,
    "a 0-d array": lambda: np.array(math.nan),
    "an empty array": lambda: np.array([]),
    "an array with nan": lambda: np.array([1.0, math.nan]),
    "an object array": lambda: np.array([1, None], dtype=object),
    "a masked array": lambda: np.ma.MaskedArray([1, 2], mask=[False, True]),
    "a masked value": lambda: np.ma.masked,
    "an array of three axes": lambda: np.ones((2, 2, 2)),
    "a date": lambda: np.datetime64("2026-01-01"),
    "an array of dates": lambda: np.array(["2026-01-01"], dtype="datetime64[D]"),
    "a record array": lambda: np.zeros(2, dtype=[("a", "i4")]),
    "pandas' NA": lambda: pd.NA,
    "pandas' NaT": lambda: pd.NaT,
    "a series": lambda: pd.Series([1, 2]),
    "a series with NA": lambda: pd.Series([1, None], dtype="Int64"),
    "a series of texts": lambda: pd.Series(["a"]),
    "a categorical": lambda: pd.Categorical(["a", "b"]),
    "a frame": lambda: pd.DataFrame({"a": [1, 2]}),
    "a frame of nothing": pd.DataFrame,
    "a frame of equal names": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
}
"""By what they are called."""
