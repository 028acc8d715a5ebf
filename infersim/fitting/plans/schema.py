"""The layout of `calibration/plans/*.toml`: which kernels a measurement run times, and why those.

A measurement plan has parts; each draws its rows from ranges and choices, spread evenly
(`design_points`). Imports pydantic: import it where needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from annotated_types import Len
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from infersim.domain.dtypes import PRECISIONS
from infersim.domain.shapes import Phase
from infersim.profile_files.schema import Positive, Table, Text

FORMAT_VERSION = 1
"""Version of the layout; a file of a later version is refused."""

ALIGNED = 64
"""The alignment that stands for any multiple of 64: no library's kernels differ beyond it."""

MOST_ROWS = 100_000
"""Far more than anybody measures for one part; beyond it a Sobol sequence would not fit memory."""


def _rising(span: list[int]) -> list[int]:
    if span[0] > span[1]:
        raise PydanticCustomError("span", "the smallest value first, then the largest")
    return span


def _power_of_two(number: int) -> int:
    if number not in (1, 2, 4, 8, 16, 32, ALIGNED):
        raise PydanticCustomError("alignment", f"a power of two, at most {ALIGNED}")
    return number


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("distinct", "each name once")
    return values


def _precision(name: str) -> str:
    if name not in PRECISIONS:
        raise PydanticCustomError("precision", f"one of {', '.join(PRECISIONS)}")
    return name


MAX_DIMENSION, MAX_ARRAYS, MAX_ARRAY_BYTES = 2**27, 2**10, 2**40
"""Far beyond any kernel; their products stay within 64 bits. A larger number is a slip."""

Count = Annotated[int, Field(ge=1, le=MAX_DIMENSION)]
Arrays = Annotated[int, Field(ge=1, le=MAX_ARRAYS)]
ByteCount = Annotated[int, Field(ge=1, le=MAX_ARRAY_BYTES)]
ByteSpan = Annotated[list[ByteCount], Len(2, 2), AfterValidator(_rising)]
Span = Annotated[list[Count], Len(2, 2), AfterValidator(_rising)]
Counts = Annotated[list[Count], Len(1)]
Alignment = Annotated[list[Annotated[int, AfterValidator(_power_of_two)]], Len(2, 2)]
Precisions = Annotated[list[Annotated[str, AfterValidator(_precision)]], Len(1), AfterValidator(_distinct)]
OpName = Literal["qkv", "q", "k", "v", "o", "gate_up", "gate", "up", "down", "lm_head"]


class Limits(Table):
    """What one call may take; a kernel over it is replaced by the next one, so that the count stays.

    `operand_gib`: all that the kernel reads and writes, one copy of each. `tflop`: its work, which stands for
    its time on a GPU that is not known yet.
    """

    operand_gib: Positive
    tflop: Positive


class PlanPart(Table):
    """`rows` kernels of one sort, and the reason to measure them."""

    name: Text
    reason: Text
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)]


class GemmSpace(PlanPart):
    """GEMMs spread evenly over log2 of m, n and k.

    `alignments` are pairs for n and k, each dealt an equal share of the rows: the largest power of two that
    divides the dimension; 64 stands for any multiple of 64.
    """

    m: Span
    n: Span
    k: Span
    alignments: Annotated[list[Alignment], Len(1)]


class GemmModels(PlanPart):
    """GEMMs of real models: the weight matrices of `ops`, in both layouts, at m spread evenly over log2."""

    models: Annotated[list[Text], Len(1), AfterValidator(_distinct)]
    ops: Annotated[list[OpName], Len(1), AfterValidator(_distinct)]
    m: Span


class AttentionSpace(PlanPart):
    """Attention spread evenly over log2 of batch and context, and over the choices of heads.

    `group` is how many query heads share a KV head. Prefill reads `context_len` tokens, decode makes one.
    """

    phase: Annotated[Phase, Field(strict=False)]
    batch: Span
    context_len: Span
    num_kv_heads: Counts
    group: Counts
    max_num_heads: Count
    head_dim: Counts


class MemoryOps(PlanPart):
    """Memory-bound kernels: each op reads and writes so many arrays of equal size, of `array_bytes`."""

    ops: Annotated[dict[Text, Annotated[list[Arrays], Len(2, 2)]], Len(1)]
    array_bytes: ByteSpan


class Launches(PlanPart):
    """Empty kernels issued one after the other without a graph, `kernels` of them in a row."""

    kernels: Span


class MeasurementPlanTables(Table):
    """A measurement plan file: its parts, and the names of the files beside it that it includes.

    `dtypes` are those of the GEMMs; attention runs in the 16-bit or 32-bit type that goes with them. GEMMs
    whose n and k are multiples of `multiple_2_4` have a 2:4 form, where that is measured too.
    """

    version: Annotated[int, Field(ge=1, le=FORMAT_VERSION)]
    name: Text
    reason: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    dtypes: Precisions
    multiple_2_4: Annotated[int, AfterValidator(_power_of_two)] = ALIGNED
    limits: Limits
    include: Annotated[list[Text], AfterValidator(_distinct)] = Field(default_factory=list)
    gemm_space: list[GemmSpace] = Field(default_factory=list)
    gemm_models: list[GemmModels] = Field(default_factory=list)
    attention: list[AttentionSpace] = Field(default_factory=list)
    memory: list[MemoryOps] = Field(default_factory=list)
    launch: list[Launches] = Field(default_factory=list)

    def parts(self) -> Iterator[tuple[str, PlanPart]]:
        """Every part of this file with the key it stands under, such as `gemm_space[0]`."""
        for table in ("gemm_space", "gemm_models", "attention", "memory", "launch"):
            for place, part in enumerate(getattr(self, table)):
                yield f"{table}[{place}]", part
