"""`gemm_latency` and `attention_latency`: single kernels, arrays in and arrays out."""

from __future__ import annotations

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.costs import Latency
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.shapes import Attention, Gemm, Phase, WeightForm
from infersim.simulation.speedups.resolving import Dimension, Gpu, as_profile, checked_dimension
from infersim.simulation.speedups.stretches import shapes_latency
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT, check_whole

MAX_FEATURES = 2**24
MAX_HEADS = 2**16
MAX_HEAD_DIM = 2**12
MAX_WEIGHT_COPIES = 2**16
"""Far beyond any matrix, attention or timing loop there is: a larger number is a slip."""


def gemm_latency(
    gpu: Gpu,
    m: Dimension,
    n: Dimension,
    k: Dimension,
    dtype: str = "bf16",
    sparsity: str | None = None,
    weight_copies: int | None = None,
    act_quant: bool = True,
) -> Latency:
    """Latency of `O[m,n] = A[m,k] @ W[n,k]^T`; dimensions broadcast, and so does the result.

    `dtype` is a precision (`bf16`, `fp8`, `w4a16`...), `sparsity` None, `2:4` or `6:8` (2:4 kernels over a
    longer K). `weight_copies` is the number of distinct weights that a timing loop rotates over, which may
    stay in L2; None is cold, as in a model: all weights are read from memory. `act_quant`: W8A8 (`fp8`,
    `int8`) includes quantising the activations, token by token. Raises InvalidValueError for dimensions that
    are not whole, positive and plausible, UnknownNameError and UnsupportedError for a GPU or data type that
    is not known or not there.
    """
    checked = _checked({"m": (m, MAX_CONTEXT), "n": (n, MAX_FEATURES), "k": (k, MAX_FEATURES)})
    if weight_copies is not None:
        check_whole("weight_copies", weight_copies, MAX_WEIGHT_COPIES)
    shape = Gemm(
        m=checked["m"],
        n=checked["n"],
        k=checked["k"],
        precision=precision_named(dtype),
        weights=_weight_form(sparsity),
        weight_copies=weight_copies,
        act_quant=act_quant,
    )
    return shapes_latency(shape, as_profile(gpu))


def attention_latency(
    gpu: Gpu,
    *,
    phase: str,
    batch: Dimension,
    context_len: Dimension,
    num_heads: Dimension,
    num_kv_heads: Dimension,
    head_dim: Dimension,
    query_len: Dimension | None = None,
    dtype: str = "bf16",
    kv_copies: int | None = 1,
) -> Latency:
    """Latency of one attention kernel; dimensions broadcast, and so does the result.

    `query_len` new tokens of each sequence attend to `context_len` tokens, their own included: all of them
    in prefill, 1 in decode unless given. `kv_copies` is the number of distinct KV caches that a timing
    loop rotates over: 1, as attention benchmarks do, lets a small cache stay in L2; None is cold, as in a
    model's decode: all of it is read from memory. Raises what `gemm_latency` raises.
    """
    if phase not in list(Phase):
        raise UnknownNameError("phase", phase, list(Phase))
    if dtype not in list(DType):
        raise UnknownNameError("dtype", dtype, list(DType))
    if query_len is None:
        query_len = context_len if phase == Phase.PREFILL else 1
    limits = {
        "batch": (batch, MAX_BATCH),
        "query_len": (query_len, MAX_CONTEXT),
        "context_len": (context_len, MAX_CONTEXT),
        "num_heads": (num_heads, MAX_HEADS),
        "num_kv_heads": (num_kv_heads, MAX_HEADS),
        "head_dim": (head_dim, MAX_HEAD_DIM),
    }
    checked = _checked(limits)
    _check_consistent(phase, checked)
    shape = Attention(
        phase=Phase(phase),
        batch=checked["batch"],
        query_len=checked["query_len"],
        context_len=checked["context_len"],
        num_heads=checked["num_heads"],
        num_kv_heads=checked["num_kv_heads"],
        head_dim=checked["head_dim"],
        dtype=DType(dtype),
        kv_copies=kv_copies,
    )
    return shapes_latency(shape, as_profile(gpu))


def _checked(limits: dict[str, tuple[Dimension, int]]) -> dict[str, Array]:
    """Arrays of the dimensions, each given with its upper limit; they must broadcast together."""
    arrays = {name: checked_dimension(name, value, high) for name, (value, high) in limits.items()}
    extents = {name: array.shape for name, array in arrays.items()}
    try:
        np.broadcast_shapes(*extents.values())
    except ValueError:
        raise InvalidValueError("dimensions", extents, "array shapes that broadcast together") from None
    return arrays


def _weight_form(sparsity: str | None) -> WeightForm:
    if sparsity is None:
        return WeightForm.DENSE
    forms = [form.value for form in WeightForm if form is not WeightForm.DENSE]
    if sparsity not in forms:
        raise InvalidValueError("sparsity", sparsity, f"None or {' or '.join(map(repr, forms))}")
    return WeightForm(sparsity)


def _check_consistent(phase: str, dimensions: dict[str, Array]) -> None:
    """Raise InvalidValueError for heads that do not group, or queries that are not among the context."""
    heads, kv_heads = dimensions["num_heads"], dimensions["num_kv_heads"]
    query_len, context_len = dimensions["query_len"], dimensions["context_len"]
    if (heads % kv_heads).any():
        raise InvalidValueError(
            "num_kv_heads", kv_heads.tolist(), f"a divisor of num_heads = {heads.tolist()}"
        )
    if (query_len > context_len).any():
        raise InvalidValueError(
            "query_len", query_len.tolist(), f"at most context_len = {context_len.tolist()}"
        )
    if phase == Phase.DECODE and (query_len != 1).any():
        raise InvalidValueError("query_len", query_len.tolist(), "1 in decode")
