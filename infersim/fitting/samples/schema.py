"""The samples format, version 1: kinds, columns and what each value must be.

One table for all kinds of kernel. Cells are turned into numbers, truths and names over the distinct values
of a column, so that a table of any length costs a few passes in numpy. Files are read in `files`, checked
in `checks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.cost.collectives.parameters import NCCL
from infersim.domain.arguments import brief
from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.shapes import Exchange, Phase, WeightForm

FORMAT_VERSION = 1
"""Version of the samples format; a file of a later version is refused."""

NOT_SAID = ("", "nan", "none", "null", "n/a", "na")
"""How files write "unknown", in lower case; such a cell is empty."""


class Kind(StrEnum):
    """What a sample times."""

    GEMM = "gemm"
    SPARSE_GEMM = "sparse_gemm"
    ATTENTION = "attention"
    MEMORY = "memory"
    LAUNCH = "launch"
    COLLECTIVE = "collective"
    MOE = "moe"


class Timed(StrEnum):
    """What of a kernel's surroundings its time holds; an empty cell is `GRAPH`.

    - `GRAPH`: kernels follow each other without a gap (a CUDA graph, or a loop that keeps the GPU busy).
    - `ALONE`: one kernel on an idle GPU, by a profiler or by events around it: its start counts.
    - `HOST`: the host issues kernel after kernel: whatever it takes beyond the kernel's own time counts.
    """

    GRAPH = "graph"
    ALONE = "alone"
    HOST = "host"


class Rule(StrEnum):
    """What a value must be; the text is what error messages expect."""

    COUNT = "a whole number from 1 to 1e15"
    POSITIVE = "a number from 0.001 to 1e9"
    AMOUNT = "a finite number of at least 0"
    NUMBER = "a finite number"
    TRUTH = "true or false"
    NAME = "a name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its rule, and the words it may hold where those are known.

    `kinds` are the kinds whose rows must fill it, `may` those whose rows may. What stands in the cells of
    other kinds says nothing.
    """

    name: str
    rule: Rule
    kinds: tuple[Kind, ...] = ()
    may: tuple[Kind, ...] = ()


GEMMS = (Kind.GEMM, Kind.SPARSE_GEMM)
ALL = tuple(Kind)

COLUMNS: tuple[Column, ...] = (
    Column(name="gpu", rule=Rule.NAME, kinds=ALL),
    Column(name="kind", rule=Rule.NAME, kinds=ALL),
    Column(name="dtype", rule=Rule.NAME, kinds=(*GEMMS, Kind.ATTENTION, Kind.MOE)),
    *(Column(name=name, rule=Rule.COUNT, kinds=GEMMS) for name in ("m", "n", "k")),
    Column(name="sparsity", rule=Rule.NAME, kinds=(Kind.SPARSE_GEMM,), may=(Kind.GEMM,)),
    Column(name="phase", rule=Rule.NAME, kinds=(Kind.ATTENTION,)),
    *(
        Column(name=name, rule=Rule.COUNT, kinds=(Kind.ATTENTION,))
        for name in ("batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim")
    ),
    Column(name="kv_dtype", rule=Rule.NAME, may=(Kind.ATTENTION,)),
    *(
        Column(name=name, rule=Rule.COUNT, kinds=(Kind.MOE,))
        for name in ("tokens", "hidden_size", "ffn_width", "num_experts", "top_k")
    ),
    *(Column(name=f"{how}_parallel", rule=Rule.COUNT, may=(Kind.MOE,)) for how in ("tensor", "expert")),
    Column(name="gated", rule=Rule.TRUTH, may=(Kind.MOE,)),
    Column(name="routing", rule=Rule.NAME, may=(Kind.MOE,)),
    Column(name="op", rule=Rule.NAME, kinds=(Kind.MEMORY,)),
    Column(name="read_bytes", rule=Rule.AMOUNT, kinds=(Kind.MEMORY,)),
    Column(name="write_bytes", rule=Rule.AMOUNT, kinds=(Kind.MEMORY,)),
    Column(name="rows", rule=Rule.COUNT, may=(Kind.MEMORY,)),
    Column(name="exchange", rule=Rule.NAME, kinds=(Kind.COLLECTIVE,)),
    Column(name="gpus", rule=Rule.COUNT, kinds=(Kind.COLLECTIVE,)),
    Column(name="message_bytes", rule=Rule.COUNT, kinds=(Kind.COLLECTIVE,)),
    Column(name="library", rule=Rule.NAME, may=(Kind.COLLECTIVE,)),
    Column(name="kernels", rule=Rule.COUNT, may=(Kind.MEMORY, Kind.LAUNCH)),
    Column(name="weight_copies", rule=Rule.COUNT, may=(*GEMMS, Kind.ATTENTION, Kind.MEMORY, Kind.MOE)),
    Column(name="includes_act_quant", rule=Rule.TRUTH, may=GEMMS),
    Column(name="timed", rule=Rule.NAME, may=ALL),
    Column(name="latency_us", rule=Rule.POSITIVE, kinds=ALL),
    Column(name="spread_us", rule=Rule.AMOUNT, may=ALL),
    Column(name="sm_clock_mhz", rule=Rule.AMOUNT, may=ALL),
    Column(name="memory_clock_mhz", rule=Rule.AMOUNT, may=ALL),
    Column(name="power_w", rule=Rule.AMOUNT, may=ALL),
    Column(name="temperature_c", rule=Rule.NUMBER, may=ALL),
    Column(name="throttled", rule=Rule.TRUTH, may=ALL),
    Column(name="status", rule=Rule.NAME, may=ALL),
    Column(name="source", rule=Rule.NAME, may=ALL),
    Column(name="version", rule=Rule.NAME, may=ALL),
)
"""All columns of the format, in the order that written files have. Further columns are kept as they are."""

COLUMN_NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)

RULES = {column.name: column.rule for column in COLUMNS}

WHAT_WAS_RUN: tuple[str, ...] = COLUMN_NAMES[: COLUMN_NAMES.index("latency_us")]
"""Columns that say which kernel a row timed; the others say how it went."""

MEASURED = "ok"
"""The `status` of a row that holds a measurement (so does an empty one)."""

DTYPES: dict[Kind, tuple[str, ...]] = {
    Kind.GEMM: tuple(PRECISIONS),
    Kind.SPARSE_GEMM: tuple(name for name, precision in PRECISIONS.items() if not precision.dequantises),
    Kind.ATTENTION: tuple(DType),
    Kind.MOE: tuple(PRECISIONS),
}
"""The data types a kind may name; the other kinds count bytes and need none."""

PHASES: tuple[str, ...] = tuple(Phase)
EXCHANGES: tuple[str, ...] = tuple(Exchange)
LIBRARIES: tuple[str, ...] = (NCCL,)
"""What a row may name beside nothing, which is whatever the engine runs."""

SPARSITIES: tuple[str, ...] = (WeightForm.SPARSE_2_4.value, WeightForm.SLIDE_6_8.value)


def required_columns(kind: Kind) -> tuple[str, ...]:
    """Names of the columns that every row of `kind` fills."""
    return tuple(column.name for column in COLUMNS if kind in column.kinds)


def dimension_columns(kind: Kind) -> tuple[str, ...]:
    """Names of the columns that say what was run: all required ones but GPU, kind and latency."""
    return tuple(name for name in required_columns(kind) if name not in ("gpu", "kind", "latency_us"))


def in_order(names: Iterable[str]) -> list[str]:
    """`names` with the format's columns first, in its order, and the others after them in theirs."""
    given = list(names)
    known = [name for name in COLUMN_NAMES if name in given]
    return known + [name for name in given if name not in known]


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
    types = pd.api.types
    numeric = types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)
    if rule in NUMBERS and numeric and not types.is_complex_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        empty = np.isnan(values)
        return Cells(values=values, empty=empty, broken=~empty & ~_obeys(values, rule))
    alike = pd.api.types.infer_dtype(column, skipna=True) in ("string", "boolean", "empty")
    # Not `map`, nor a series: an older pandas looks for a type that holds all, and fails at 10**400.
    cells = column if alike else pd.Series([_distinguishable(cell) for cell in column], dtype=object)
    codes, distinct = pd.factorize(cells.to_numpy(dtype=object))
    _encode(distinct)
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
    return value is None or value is pd.NA or value is pd.NaT


def shown_cell(value: object) -> str:
    """A cell as errors show it."""
    if is_empty(value):
        return "empty"
    return brief(value.item() if isinstance(value, np.generic) else value)


def _encode(distinct: Iterable[object]) -> None:
    """Fail at half of a character; a newer pandas does so itself."""
    for value in distinct:
        if isinstance(value, str):
            value.encode()


def _distinguishable(value: object) -> object:
    """`value`, or its text where equality does not tell it apart: True equals 1, and lists have no hash."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str | int | float | np.generic) and not isinstance(value, bool | np.bool_):
        return value
    try:
        return str(value)
    except Exception:  # a stranger's object may do as it likes
        return type(value).__name__


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
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _as_truth(value: object) -> bool | None:
    return _TRUTHS.get(str(value).strip().lower())


def _as_name(value: object) -> str | None:
    return None if is_empty(value) else str(value).strip()
