"""`gemm_latency`, `attention_latency` and `moe_latency`: single kernels, arrays in and arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infersim.cost.experts.routing_names import BALANCED, ROUTINGS, NamedRouting, routing_named
from infersim.cost.gemm.unstructured import SparseKernel, UnstructuredGemm
from infersim.domain.arguments import checked, flag, one_of, optional, refused
from infersim.domain.arrays import Array
from infersim.domain.costs import Latency
from infersim.domain.dtypes import PRECISIONS, SCALES, DType, precision_named, precision_with_scales
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import count, whole
from infersim.domain.shapes import Attention, Experts, Gemm, Phase, WeightForm
from infersim.profile_files.profiles import a_profile, kernels_named
from infersim.simulation.speedups.stretches import shapes_latency
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT

if TYPE_CHECKING:
    from infersim.simulation.speedups.resolving import Dimension, Gpu

MAX_FEATURES = 2**24
MAX_HEADS = 2**16
MAX_HEAD_DIM = 2**12
MAX_EXPERTS = 2**16
MAX_SHARES = 2**12
MAX_WEIGHT_COPIES = 2**16
"""Far beyond any matrix, attention, layer or timing loop there is: a larger number is a slip."""


def _sparse_form(key: str, value: object) -> str | float:
    """A rule of arguments: how sparse weights are stored, or the share of them that is zero anywhere."""
    forms = [form.value for form in WeightForm if form is not WeightForm.DENSE]
    if isinstance(value, str) and value in forms:
        return value
    if isinstance(value, float | np.floating) and 0 < value < 1:
        return float(value)
    raise refused(key, value, f"None, {' or '.join(map(repr, forms))}, or a fraction between 0 and 1")


def _act_quant(key: str, value: object) -> bool | str:
    """A rule of arguments: whether activations are quantised before, and by which scales."""
    if isinstance(value, str) and value in SCALES:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise refused(key, value, f"True or False, {' or '.join(map(repr, SCALES))}")


_COPIES = optional(count(MAX_WEIGHT_COPIES))


@checked(
    gpu=a_profile,
    m=whole(MAX_CONTEXT),
    n=whole(MAX_FEATURES),
    k=whole(MAX_FEATURES),
    dtype=one_of("dtype", PRECISIONS),
    sparsity=optional(_sparse_form),
    weight_copies=_COPIES,
    act_quant=_act_quant,
    kernels=kernels_named,
    sparse_kernel=one_of("sparse_kernel", list(SparseKernel)),
)
def gemm_latency(
    gpu: Gpu,
    m: Dimension,
    n: Dimension,
    k: Dimension,
    dtype: str = "bf16",
    sparsity: str | float | None = None,
    weight_copies: int | None = None,
    act_quant: bool | str = True,
    kernels: str | None = None,
    sparse_kernel: str = SparseKernel.MACKO.value,
) -> Latency:
    """Latency of `O[m,n] = A[m,k] @ W[n,k]^T`; dimensions broadcast, and so does the result.

    `dtype` is a precision (`bf16`, `fp8`, `w4a16`...), `sparsity` None, `2:4` or `6:8` (2:4 kernels over a
    longer K), or the fraction of the weights that is zero anywhere, which `sparse_kernel` multiplies:
    `macko`, `cusparse` or `dense`. `weight_copies` is the number of distinct weights that a timing loop
    rotates over, which may stay in L2; None is cold, as in a model: all weights are read from memory.
    `act_quant`: formats of narrow activations (`fp8`, `int8`, `fp8_block`, `nvfp4`) include quantising them,
    token by token (`"dynamic"` or True) or by a scale that is known beforehand (`"static"`); False: something
    before has done it, a fused norm for example. `kernels` chooses the engine whose kernels are predicted, as
    in `load_profile`. Raises InvalidValueError for dimensions that are not whole, positive and plausible,
    UnknownNameError and UnsupportedError for a GPU or data type that is not known or not there.
    """
    dimensions = _together(m=m, n=n, k=k)
    profile = a_profile("gpu", gpu).with_kernels(kernels)
    if isinstance(sparsity, float):
        if weight_copies is not None:
            expected = "None for weights that are zero anywhere: they are predicted cold"
            raise InvalidValueError("weight_copies", weight_copies, expected)
        zeros = UnstructuredGemm(
            m=dimensions["m"],
            n=dimensions["n"],
            k=dimensions["k"],
            density=1 - sparsity,
            precision=precision_with_scales(dtype, act_quant),
            kernel=SparseKernel(sparse_kernel),
        )
        return shapes_latency(zeros, profile)
    shape = Gemm(
        m=dimensions["m"],
        n=dimensions["n"],
        k=dimensions["k"],
        precision=precision_with_scales(dtype, act_quant),
        weights=WeightForm.DENSE if sparsity is None else WeightForm(sparsity),
        weight_copies=weight_copies,
        act_quant=act_quant is not False,
    )
    return shapes_latency(shape, profile)


@checked(
    gpu=a_profile,
    phase=one_of("phase", list(Phase)),
    batch=whole(MAX_BATCH),
    context_len=whole(MAX_CONTEXT),
    num_heads=whole(MAX_HEADS),
    num_kv_heads=whole(MAX_HEADS),
    head_dim=whole(MAX_HEAD_DIM),
    query_len=optional(whole(MAX_CONTEXT)),
    dtype=one_of("dtype", list(DType)),
    kv_dtype=optional(one_of("kv_dtype", list(DType))),
    window=optional(count(MAX_CONTEXT)),
    kv_copies=_COPIES,
    kernels=kernels_named,
)
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
    kv_dtype: str | None = None,
    window: int | None = None,
    kv_copies: int | None = 1,
    kernels: str | None = None,
) -> Latency:
    """Latency of one attention kernel; dimensions broadcast, and so does the result.

    `query_len` new tokens of each sequence attend to `context_len` tokens, their own included: all of them
    in prefill, 1 in decode unless given. `kv_dtype` is the type of the KV cache (None: `dtype`), and `window`
    limits how far back a query sees. `kv_copies` is the number of distinct KV caches that a timing
    loop rotates over: 1, as attention benchmarks do, lets a small cache stay in L2; None is cold, as in a
    model's decode: all of it is read from memory. `kernels` as in `gemm_latency`, which raises the same.
    """
    if query_len is None:
        query_len = context_len if phase == Phase.PREFILL else 1
    dimensions = _together(
        batch=batch,
        query_len=query_len,
        context_len=context_len,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
    )
    _check_consistent(phase, dimensions)
    shape = Attention(
        phase=Phase(phase),
        batch=dimensions["batch"],
        query_len=dimensions["query_len"],
        context_len=dimensions["context_len"],
        num_heads=dimensions["num_heads"],
        num_kv_heads=dimensions["num_kv_heads"],
        head_dim=dimensions["head_dim"],
        dtype=DType(dtype),
        kv_dtype=None if kv_dtype is None else DType(kv_dtype),
        window=window,
        kv_copies=kv_copies,
    )
    return shapes_latency(shape, a_profile("gpu", gpu).with_kernels(kernels))


def _routing(key: str, value: object) -> str:
    """A rule of arguments: how tokens choose their experts."""
    if isinstance(value, str) and routing_named(value) is not None:
        return value
    raise refused(key, value, ROUTINGS)


@checked(
    gpu=a_profile,
    tokens=whole(MAX_CONTEXT),
    hidden_size=whole(MAX_FEATURES),
    ffn_width=whole(MAX_FEATURES),
    num_experts=whole(MAX_EXPERTS),
    top_k=whole(MAX_EXPERTS),
    dtype=one_of("dtype", PRECISIONS),
    routing=_routing,
    tensor_parallel=whole(MAX_SHARES),
    expert_parallel=whole(MAX_SHARES),
    gated=flag,
    weight_copies=_COPIES,
    kernels=kernels_named,
)
def moe_latency(
    gpu: Gpu,
    *,
    tokens: Dimension,
    hidden_size: Dimension,
    ffn_width: Dimension,
    num_experts: Dimension,
    top_k: Dimension,
    dtype: str = "bf16",
    routing: str = BALANCED,
    tensor_parallel: Dimension = 1,
    expert_parallel: Dimension = 1,
    gated: bool = True,
    weight_copies: int | None = 1,
    kernels: str | None = None,
) -> Latency:
    """Latency of a layer's routed experts on one GPU; dimensions broadcast, and so does the result.

    Each of `tokens` runs `top_k` of `num_experts` experts of `ffn_width` channels: top-k, rows to their
    experts, up (and gate, where `gated`), activation, down, rows added up; no router, no shared expert, no
    exchange between GPUs. `routing`: `balanced`, tokens dealt to the experts in turn, as benchmarks do;
    `random`, each token draws its experts; `zipf_0.9`, draws them by fixed popularity; `power_law_1.2`,
    experts whose shares follow a power law of that exponent. With `tensor_parallel` every GPU holds that
    share of each expert's width, with `expert_parallel` whole experts, and the GPU is the fullest one.
    `weight_copies` is the number of distinct layers that a timing loop rotates over: 1, as benchmarks do,
    lets a small layer stay in L2; None is cold, as in a model.
    `dtype` and `kernels` as in `gemm_latency`, which raises the same.
    """
    sizes = _together(
        tokens=tokens,
        hidden_size=hidden_size,
        ffn_width=ffn_width,
        num_experts=num_experts,
        top_k=top_k,
        tensor_parallel=tensor_parallel,
        expert_parallel=expert_parallel,
    )
    _check_shares(sizes)
    named = routing_named(routing)
    assert isinstance(named, NamedRouting), "checked by its rule"
    shape = Experts(
        tokens=sizes["tokens"],
        hidden=sizes["hidden_size"],
        width=sizes["ffn_width"] / sizes["tensor_parallel"],
        num_experts=sizes["num_experts"],
        local_experts=sizes["num_experts"] / sizes["expert_parallel"],
        top_k=sizes["top_k"],
        precision=precision_named(dtype),
        gated=gated,
        skew=named.skew,
        popularity=named.popularity,
        dealt=named.dealt,
        weight_copies=weight_copies,
    )
    return shapes_latency(shape, a_profile("gpu", gpu).with_kernels(kernels))


def _check_shares(sizes: dict[str, Array]) -> None:
    """Raise InvalidValueError for more experts a token than there are, and for shares that do not divide."""
    experts, top_k = sizes["num_experts"], sizes["top_k"]
    if (top_k > experts).any():
        raise InvalidValueError("top_k", top_k.tolist(), f"at most num_experts = {experts.tolist()}")
    for degree, whole_name in (("tensor_parallel", "ffn_width"), ("expert_parallel", "num_experts")):
        if (sizes[whole_name] % sizes[degree]).any():
            expected = f"a divisor of {whole_name} = {sizes[whole_name].tolist()}"
            raise InvalidValueError(degree, sizes[degree].tolist(), expected)


def _together(**dimensions: Dimension) -> dict[str, Array]:
    """The dimensions, arrays by now; they must broadcast together."""
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in dimensions.items()}
    extents = {name: array.shape for name, array in arrays.items()}
    try:
        np.broadcast_shapes(*extents.values())
    except ValueError:
        raise InvalidValueError("dimensions", extents, "array shapes that broadcast together") from None
    return arrays


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
