"""Shapes of kernels: what one launch works on, with no word about any GPU.

Every dimension is a number or an array over the scenario axis; a record's dimensions broadcast together.
A shape of another kind of kernel is a frozen record below `Shape`, in this file or in its kernel's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from infersim.domain.arrays import Numeric
from infersim.domain.dtypes import DType, Precision
from infersim.domain.small_kernels import SmallKernel


class Phase(StrEnum):
    """Prefill reads the prompt (its latency is TTFT); decode makes one token (its latency is TPOT)."""

    PREFILL = "prefill"
    DECODE = "decode"


class Exchange(StrEnum):
    """What the GPUs of a node do with each other's buffers."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"


class WeightForm(StrEnum):
    """How a GEMM's weight matrix is stored and multiplied."""

    DENSE = "dense"
    SPARSE_2_4 = "2:4"
    SLIDE_6_8 = "6:8"  # as 2:4 over a longer K: two of every four in windows that slide by two


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Any kernel shape; `infersim.cost` knows how long each takes.

    DIMENSIONS are the fields that may be arrays: kernels that differ in them alone are timed in one call. By
    all other fields kernels differ in kind.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm(Shape):
    """`O[M,N] = A[M,K] @ W[N,K]^T`: M tokens in flight, N output features, K input features.

    `act_quant`: in W8A8, 16-bit activations are quantised for each token by a kernel of its own before.
    `weight_copies` is the number of distinct weight matrices that a timing loop rotates over (they may
    stay in L2 between calls); None is cold, as in a model whose layers never fit. `generated`: the kernel
    comes from a tile compiler such as Triton, because no vendor's library skips rows or blocks.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = ("m", "n", "k")

    m: Numeric
    n: Numeric
    k: Numeric
    precision: Precision
    weights: WeightForm = WeightForm.DENSE
    weight_copies: int | None = None
    act_quant: bool = True
    generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Shape):
    """Softmax attention of each sequence's `query_len` new tokens over `context_len` (theirs included).

    Prefill is causal; decode has one query. `kept` is the fraction of causal (query, key) blocks that is
    computed and read (block-sparse attention); `block` is the edge of such a block in tokens (None: dense
    kernel). `window` limits how far back a query sees (None: all). `kv_copies` is the number of distinct KV
    caches that a timing loop rotates over (they may stay in L2 between calls); None is cold, as in a model.
    `generated` is that of a `Gemm`. `value_dim` are the channels of a head of V (None: `head_dim`; 0: scores
    alone, summed over heads); `shared_kv`: V is the first of K's channels, as in absorbed latent attention,
    and is not stored again. `chosen`: the tokens of the `window` are not the last ones, but as many from
    anywhere before the query, each read by its place.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = (
        "batch",
        "query_len",
        "context_len",
        "num_heads",
        "num_kv_heads",
        "head_dim",
        "kept",
    )

    phase: Phase
    batch: Numeric
    query_len: Numeric
    context_len: Numeric
    num_heads: Numeric
    num_kv_heads: Numeric
    head_dim: Numeric
    dtype: DType
    kv_dtype: DType | None = None
    window: int | None = None
    kept: Numeric = 1.0
    block: int | None = None
    kv_copies: int | None = None
    generated: bool = False
    value_dim: int | None = None
    shared_kv: bool = False
    chosen: bool = False

    @property
    def scores_only(self) -> bool:
        """Whether there is no V: what indexers score tokens by."""
        return self.value_dim == 0

    @property
    def mean_dim(self) -> Numeric:
        """Channels of a head, the mean of K and V: by these its multiplications count."""
        return self.head_dim if self.value_dim is None else (self.head_dim + self.value_dim) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBound(Shape):
    """A small kernel, or `kernels` of them in a row, that moves bytes and computes next to nothing.

    All numbers are totals over those kernels. `compulsory_bytes` is what even a perfectly fused program must
    move (embedding rows, KV-cache writes); 0 for intermediates, which can stay on chip. `rows` (tokens, heads
    of tokens) are given to blocks of threads one by one; 0: work is spread flat. `cold_bytes` of what is read
    was written long before, so that it comes from memory; `rewritten_bytes` are written in the place of what
    was read. `kernel` is the `SmallKernel` it works like. `looped`: a timing loop comes back to the same
    arrays (they may stay in L2); else the kernel stands in a model, after the one that wrote what it reads.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = (
        "read_bytes",
        "write_bytes",
        "compulsory_bytes",
        "rows",
        "cold_bytes",
        "rewritten_bytes",
        "kernel",
    )

    read_bytes: Numeric
    write_bytes: Numeric
    compulsory_bytes: Numeric = 0.0
    rows: Numeric = 0.0
    cold_bytes: Numeric = 0.0
    rewritten_bytes: Numeric = 0.0
    kernel: Numeric = SmallKernel.COPY
    kernels: int = 1
    looped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts(Shape):
    """The routed experts of one layer on one GPU, for `tokens` tokens: up (and gate), activation, down.

    Each token runs `top_k` of `num_experts` experts of the whole layer; `local_experts` of them stand on this
    GPU, each of `width` channels here (a share of an expert's width under tensor parallelism). `gated`: three
    matrices an expert, else two. `skew` is how uneven routing is: 0 is balanced, else the exponent of a power
    law of the experts' shares. Balanced tokens draw their experts at random, as those of a served batch;
    benchmarks deal them to the experts in turn (`dealt`). `popularity` is the exponent of Zipf's law by which
    tokens draw them (0: each alike). `weight_copies` is that of a `Gemm`.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = (
        "tokens",
        "hidden",
        "width",
        "num_experts",
        "local_experts",
        "top_k",
    )

    tokens: Numeric
    hidden: Numeric
    width: Numeric
    num_experts: Numeric
    local_experts: Numeric
    top_k: Numeric
    precision: Precision
    gated: bool = True
    skew: float = 0.0
    dealt: bool = False
    popularity: float = 0.0
    weight_copies: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective(Shape):
    """`gpus` GPUs of one node exchange buffers; `message_bytes` is the whole buffer of one of them.

    The whole buffer is the larger one where two differ: what an all-gather ends with, what a reduce-scatter
    begins with. `library` None is what the engine runs: its own kernels for an all-reduce, as far as they
    reach, and NCCL else; `"nccl"` is NCCL alone; the name of a kernel set: also that engine's.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = ("message_bytes",)

    message_bytes: Numeric
    gpus: int
    exchange: Exchange = Exchange.ALL_REDUCE
    library: str | None = None
