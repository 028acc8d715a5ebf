"""`gemm_latency` and `moe_latency`: single kernels, arrays in and arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.cost.experts.routing_names import BALANCED, NamedRouting, routing_named
from infersim.cost.gemm.unstructured import SparseKernel, UnstructuredGemm
from infersim.domain.arguments import checked, flag, one_of, optional
from infersim.domain.costs import Latency
from infersim.domain.dtypes import PRECISIONS, precision_named, precision_with_scales
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import count, whole
from infersim.domain.shapes import Experts, Gemm, WeightForm
from infersim.profile_files.profiles import a_profile, kernels_named
from infersim.simulation.kernels.arguments import (
    MAX_EXPERTS,
    MAX_FEATURES,
    MAX_SHARES,
    MAX_WEIGHT_COPIES,
    a_routing,
    act_quant_form,
    check_shares,
    sparse_form,
    together,
)
from infersim.simulation.speedups.stretches import shapes_latency
from infersim.workload.scenario import MAX_CONTEXT

if TYPE_CHECKING:
    from infersim.simulation.speedups.resolving import Dimension, Gpu

_COPIES = optional(count(MAX_WEIGHT_COPIES))


@checked(
    gpu=a_profile,
    m=whole(MAX_CONTEXT),
    n=whole(MAX_FEATURES),
    k=whole(MAX_FEATURES),
    dtype=one_of("dtype", PRECISIONS),
    sparsity=optional(sparse_form),
    weight_copies=_COPIES,
    act_quant=act_quant_form,
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

    Parameters
    ----------
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    m, n, k
        Tokens in flight, output features, input features.
    dtype
        A precision: `bf16`, `fp8`, `w4a16`...
    sparsity
        None, `2:4`, `6:8` (2:4 kernels over a longer K), or the fraction of the weights that is zero
        anywhere.
    weight_copies
        Distinct weights that a timing loop rotates over, which may stay in L2. None is cold, as in a model:
        all weights are read from memory.
    act_quant
        Whether formats of narrow activations (`fp8`, `int8`, `fp8_block`, `nvfp4`) include quantising
        them: token by token (`"dynamic"` or True), by a scale known beforehand (`"static"`), or not (False),
        because something before has done it, a fused norm for example.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.
    sparse_kernel
        What multiplies weights that are zero anywhere: `macko`, `cusparse` or `dense`.

    Returns
    -------
    Latency
        Seconds with their 80 % interval, the floor, and what limits the kernel.

    Raises
    ------
    InvalidValueError
        For dimensions that are not whole, positive and plausible.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
       multicore architectures", Communications of the ACM 52(4), 2009: `floor_s`.
    .. [2] NVIDIA, "Matrix Multiplication Background User's Guide": tiles and waves.
    .. [3] docs/cost-model.md: the whole formula.

    Examples
    --------
    >>> import infersim as sim
    >>> latency = sim.gemm_latency("h100-sxm", m=[1, 16, 256], n=4096, k=14336)
    >>> latency.latency_s.shape
    (3,)
    >>> bool((latency.latency_s >= latency.floor_s).all())
    True
    """
    dimensions = together(m=m, n=n, k=k)
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
    if sparse_kernel != SparseKernel.MACKO:
        expected = "none without a sparsity that is a fraction: it multiplies weights that are zero anywhere"
        raise InvalidValueError("sparse_kernel", sparse_kernel, expected)
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
    tokens=whole(MAX_CONTEXT),
    hidden_size=whole(MAX_FEATURES),
    ffn_width=whole(MAX_FEATURES),
    num_experts=whole(MAX_EXPERTS),
    top_k=whole(MAX_EXPERTS),
    dtype=one_of("dtype", PRECISIONS),
    routing=a_routing,
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

    Parameters
    ----------
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    tokens, hidden_size
        The layer's input.
    ffn_width, num_experts, top_k
        Channels of an expert, experts, and how many of them a token runs.
    dtype
        As in `gemm_latency`.
    routing
        How tokens choose experts.
    tensor_parallel, expert_parallel
        GPUs that share each expert's width, and that share the experts.
    gated
        Whether there is a gate beside up.
    weight_copies
        Distinct layers that a timing loop rotates over.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.

    Returns
    -------
    Latency
        As in `gemm_latency`.

    Raises
    ------
    InvalidValueError
        For dimensions that are not whole, positive and plausible.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    References
    ----------
    .. [1] T. Gale, D. Narayanan, C. Young, M. Zaharia, "MegaBlocks: efficient sparse training with
       mixture-of-experts", arXiv:2211.15841: experts as one grouped multiplication.
    .. [2] docs/cost-model.md: the whole formula.

    Examples
    --------
    >>> import infersim as sim
    >>> latency = sim.moe_latency(
    ...     "h100-sxm", tokens=[1, 64], hidden_size=2048, ffn_width=768, num_experts=128, top_k=8
    ... )
    >>> bool(latency.latency_s[0] < latency.latency_s[1])
    True
    """
    sizes = together(
        tokens=tokens,
        hidden_size=hidden_size,
        ffn_width=ffn_width,
        num_experts=num_experts,
        top_k=top_k,
        tensor_parallel=tensor_parallel,
        expert_parallel=expert_parallel,
    )
    check_shares(sizes)
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
