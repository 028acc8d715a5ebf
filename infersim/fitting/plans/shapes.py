"""Parts of a measurement plan as candidate rows: dimensions in the samples format, more than are needed.

Which of them stay is decided in `reading`: those within the limits that are not there yet.

Each part is a scrambled Sobol sequence: it fills a cube evenly whatever its length, so that a part can be
cut off after any row. Every axis of a part, also its choices among head counts or matrices, is an axis of
the cube. (I. M. Sobol', USSR Comput. Math. Math. Phys. 7, 1967; scrambled as in A. B. Owen, J. Complexity
14, 1998.)
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import Gemm, Phase
from infersim.domain.small_kernels import small_op
from infersim.fitting.plans.schema import (
    ALIGNED,
    AttentionSpace,
    GemmModels,
    GemmSpace,
    Launches,
    MemoryOps,
    PlanPart,
)
from infersim.fitting.samples.schema import Kind
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Layout, Scenario

Counts = npt.NDArray[np.int64]

SPARE = 16
"""Points drawn for each row that is asked for: those that are over a limit or there already are replaced."""


class SobolPoints:
    """Points of one part of a plan, an axis at a time; the same for the same seed and name.

    The name is part of the seed, so that parts are independent and one can be added without moving others.
    """

    def __init__(self, *, axes: int, rows: int, seed: int, name: str) -> None:
        from scipy.stats import qmc

        stream = np.random.default_rng([seed, zlib.crc32(name.encode())])
        # A power of two in all: only such a block is balanced, and scipy warns about others.
        power = math.ceil(math.log2(rows * SPARE))
        self._axes = iter(qmc.Sobol(axes, scramble=True, seed=stream).random_base2(power).T)

    def next_axis(self) -> Array:
        """Coordinates of all points along the next axis, in [0, 1)."""
        return np.asarray(next(self._axes), dtype=np.float64)

    def logarithmic(self, span: Sequence[int]) -> Array:
        """Numbers from the first to the last of `span`, spread evenly over the logarithm."""
        low, high = np.log2(span)
        values: Array = np.exp2(low + self.next_axis() * (high - low))
        return values

    def chosen(self, choices: int) -> Counts:
        """Places from 0 to `choices` - 1, each as often as the others."""
        return np.floor(self.next_axis() * choices).astype(np.int64)


def whole(values: Array, span: Sequence[int]) -> Counts:
    """The nearest whole numbers within `span`."""
    first, last = span
    numbers: Counts = np.clip(np.rint(values), first, last).astype(np.int64)
    return numbers


def aligned(values: Array, span: Sequence[int], alignment: npt.ArrayLike, any_multiple: int) -> Counts:
    """The numbers within `span` near `values` whose largest power of two is `alignment`; 0 where none is.

    `any_multiple` is the alignment that any multiple of it will do for. The others are odd multiples.
    """
    step = np.broadcast_to(np.asarray(alignment, dtype=np.int64), np.shape(values))
    odd = step != any_multiple
    # Multiples are step * (stride * i + offset): all of them, or the odd ones.
    stride, offset = np.where(odd, 2, 1), np.where(odd, 1, 0)
    first, last = span
    lowest = -((step * offset - first) // (step * stride))
    highest = (last - step * offset) // (step * stride)
    nearest = np.rint((values / step - offset) / stride).astype(np.int64)
    multiples = step * (stride * np.clip(nearest, lowest, highest) + offset)
    numbers: Counts = np.where(lowest <= highest, multiples, 0)
    return numbers


LEAST_ALIGNMENT: Mapping[DType, int] = {DType.FP8: 16, DType.INT8: 16, DType.FP4: 32}
"""8-bit and 4-bit tensor-core GEMMs need rows of 16-byte multiples: cuBLASLt refuses n or k off multiples of
16, and of 32."""

ROW_BYTES = 8192
"""Arrays of memory-bound kernels have whole rows of 4096 16-bit values, so that a norm can run over them."""


def candidates(part: PlanPart, dtype: str, seed: int) -> pd.DataFrame:
    """Rows of `part` in `dtype` (of GEMMs and attention), in the order in which they are to be taken.

    Raises InvalidValueError where the part cannot have any, and UnknownNameError for an unknown model.
    """
    if isinstance(part, GemmSpace):
        return _gemm_space(part, dtype, seed)
    if isinstance(part, GemmModels):
        return _gemm_models(part, dtype, seed)
    if isinstance(part, AttentionSpace):
        return _attention(part, dtype, seed)
    if isinstance(part, MemoryOps):
        return _memory(part, seed)
    if isinstance(part, Launches):
        points = SobolPoints(axes=1, rows=part.rows, seed=seed, name=part.name)
        kernels = whole(points.logarithmic(part.kernels), part.kernels)
        return pd.DataFrame({"kind": Kind.LAUNCH.value, "kernels": kernels})
    raise TypeError(f"no kernels are known for {type(part).__name__}")


def attention_dtype(dtype: str) -> str:
    """The type that attention runs in beside linear layers in `dtype`."""
    return Execution(precision=precision_named(dtype)).attention_dtype.value


def matrices(part: GemmModels) -> list[tuple[int, int]]:
    """(n, k) of the weight matrices of `part`, each once, in rising order."""
    shapes = set()
    for model in part.models:
        for layout in Layout:
            # One token: n and k do not depend on how many there are.
            scenario = Scenario(phase=Phase.DECODE, batch=1, context=1, execution=Execution(layout=layout))
            shapes |= {
                (int(op.shape.n), int(op.shape.k))
                for op in model_ops(load_model(model), scenario)
                if isinstance(op.shape, Gemm) and op.name in part.ops
            }
    return sorted(shapes)


def _gemm_space(part: GemmSpace, dtype: str, seed: int) -> pd.DataFrame:
    alignments = _possible(part, dtype)
    points = SobolPoints(axes=4, rows=part.rows, seed=seed, name=part.name)
    dealt = np.array(alignments)[points.chosen(len(alignments))]
    m = whole(points.logarithmic(part.m), part.m)
    n = aligned(points.logarithmic(part.n), part.n, dealt[:, 0], ALIGNED)
    k = aligned(points.logarithmic(part.k), part.k, dealt[:, 1], ALIGNED)
    return _gemms(dtype, {"m": m, "n": n, "k": k})[(n > 0) & (k > 0)]


def _possible(part: GemmSpace, dtype: str) -> list[list[int]]:
    """The part's alignments that kernels of `dtype` exist for."""
    least = LEAST_ALIGNMENT.get(precision_named(dtype).math)
    if least is None:
        return part.alignments
    possible = [pair for pair in part.alignments if min(pair) >= least]
    if not possible:
        expected = f"multiples of {least} among them for {dtype}"
        raise InvalidValueError("alignments", part.alignments, expected)
    return possible


def _gemm_models(part: GemmModels, dtype: str, seed: int) -> pd.DataFrame:
    weights = np.array(matrices(part)).reshape(-1, 2)
    if not len(weights):
        raise InvalidValueError("ops", part.ops, f"GEMMs that {', '.join(part.models)} have")
    points = SobolPoints(axes=2, rows=part.rows, seed=seed, name=part.name)
    n, k = weights[points.chosen(len(weights))].T
    return _gemms(dtype, {"m": whole(points.logarithmic(part.m), part.m), "n": n, "k": k})


def _gemms(dtype: str, dimensions: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame({"kind": Kind.GEMM.value, "dtype": dtype, **dimensions})


def _attention(part: AttentionSpace, dtype: str, seed: int) -> pd.DataFrame:
    points = SobolPoints(axes=5, rows=part.rows, seed=seed, name=part.name)
    context_len = whole(points.logarithmic(part.context_len), part.context_len)
    batch = whole(points.logarithmic(part.batch), part.batch)
    num_kv_heads, group, head_dim = (
        np.array(choices)[points.chosen(len(choices))]
        for choices in (part.num_kv_heads, part.group, part.head_dim)
    )
    rows = pd.DataFrame(
        {
            "kind": Kind.ATTENTION.value,
            "dtype": dtype,
            "phase": part.phase.value,
            "batch": batch,
            "query_len": context_len if part.phase is Phase.PREFILL else 1,
            "context_len": context_len,
            "num_heads": num_kv_heads * group,
            "num_kv_heads": num_kv_heads,
            "head_dim": head_dim,
        }
    )
    return rows[rows["num_heads"] <= part.max_num_heads]


def _memory(part: MemoryOps, seed: int) -> pd.DataFrame:
    points = SobolPoints(axes=2, rows=part.rows, seed=seed, name=part.name)
    names = list(part.ops)
    dealt = points.chosen(len(names))
    reads, writes = np.array([part.ops[name] for name in names])[dealt].T
    narrowing = np.array([small_op(name).narrowing for name in names])[dealt]
    array_bytes = aligned(points.logarithmic(part.array_bytes), part.array_bytes, ROW_BYTES, ROW_BYTES)
    return pd.DataFrame(
        {
            "kind": Kind.MEMORY.value,
            "op": np.array(names)[dealt],
            "read_bytes": reads * array_bytes,
            "write_bytes": writes * narrowing * array_bytes,
            "rows": array_bytes // ROW_BYTES,
            "weight_copies": 1,
        }
    )[array_bytes > 0]
