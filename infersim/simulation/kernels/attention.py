"""`attention_latency`: a single kernel of attention, arrays in and arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.domain.arguments import checked, one_of, optional
from infersim.domain.costs import Latency
from infersim.domain.dtypes import DType
from infersim.domain.numbers import count, whole
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files.profiles import a_profile, kernels_named
from infersim.simulation.kernels.arguments import (
    MAX_HEAD_DIM,
    MAX_HEADS,
    MAX_WEIGHT_COPIES,
    check_consistent,
    together,
)
from infersim.simulation.speedups.stretches import shapes_latency
from infersim.workload.scenario import MAX_BATCH, MAX_CONTEXT

if TYPE_CHECKING:
    from infersim.simulation.speedups.resolving import Dimension, Gpu


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
    kv_copies=optional(count(MAX_WEIGHT_COPIES)),
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

    Parameters
    ----------
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    phase
        `prefill` or `decode`.
    batch
        Sequences.
    context_len
        Tokens that are attended to, the new ones included.
    num_heads, num_kv_heads, head_dim
        The layout of heads.
    query_len
        New tokens of each sequence. Left out: all of them in prefill, 1 in decode.
    dtype
        Of queries.
    kv_dtype
        Of the KV cache. None: `dtype`.
    window
        How far back a query sees.
    kv_copies
        Distinct KV caches that a timing loop rotates over: 1, as benchmarks do, lets a small cache stay in
        L2. None is cold, as in a model's decode: all of it is read from memory.
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
    .. [1] T. Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning",
       arXiv:2307.08691: tiles of queries that march over keys.
    .. [2] docs/cost-model.md: the whole formula.

    Examples
    --------
    >>> import infersim as sim
    >>> latency = sim.attention_latency(
    ...     "h100-sxm", phase="decode", batch=8, context_len=4096, num_heads=32, num_kv_heads=8, head_dim=128
    ... )
    >>> str(latency.limiter)
    'memory bandwidth'
    """
    if query_len is None:
        query_len = context_len if phase == Phase.PREFILL else 1
    dimensions = together(
        batch=batch,
        query_len=query_len,
        context_len=context_len,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
    )
    check_consistent(phase, dimensions)
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
