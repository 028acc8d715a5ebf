"""A decoder-only transformer as it will be executed: dense, or after any pruning family.

Pruning families return transformers: what they change (a narrower matrix, a low-rank pair, a router that
skips tokens) is a field here, and `workload.ops` turns it into kernels. Counting lives in `counts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from infersim.domain.dtypes import DType
from infersim.domain.errors import InvalidValueError
from infersim.domain.ops import Op
from infersim.domain.shapes import Phase, WeightForm
from infersim.workload.activations import Activation
from infersim.workload.ends import LM_HEAD, PLAIN_EMBEDDING, Embedding, Head
from infersim.workload.norms import RMS_NORM, Norm, QkNorm
from infersim.workload.scenario import Scenario
from infersim.workload.weight_format import WeightFormat


class SkipExecution(StrEnum):
    """How a sublayer leaves out tokens.

    GATHER: kept rows are copied together, library kernels work on them, and a scatter adds their results.
    BLOCKS: nothing is moved. Tokens are ordered by their mask, and generated kernels read and write kept rows
    where they lie, skipping the tiles of the others; results of all others are filled with zeros before.
    """

    GATHER = "gather"
    BLOCKS = "blocks"


class MaskEstimate(StrEnum):
    """How block-sparse attention finds the blocks to compute.

    POOLED: from pooled queries and keys, before the attention (SeerAttention, arXiv 2410.13276). SCORES: from
    the scores themselves, inside the kernel: all of Q K^T is computed, and only the softmax and the product
    with V of weak blocks are left out (BLASST, arXiv 2512.12087).
    """

    POOLED = "pooled"
    SCORES = "scores"


class MaskSharing(StrEnum):
    """Whose mask it is: one for all query heads of a KV head (GROUP), or one for each query head (HEAD)."""

    GROUP = "group"
    HEAD = "head"


class KvScore(StrEnum):
    """What decides which cached tokens stay.

    POSITION: the first and the latest ones, nothing is computed (StreamingLLM, arXiv 2309.17453). WINDOW: the
    prompt's last queries vote once, at the end of prefill (SnapKV, arXiv 2404.14469). ACCUMULATED: attention
    weights are added up in every pass, and the token of the least sum goes (H2O, arXiv 2306.14048).
    """

    POSITION = "position"
    WINDOW = "window"
    ACCUMULATED = "accumulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A weight matrix `W[out_features, in_features]` (N x K).

    `rank` set: stored as two factors, K -> rank -> N (low rank); `fused_pair` runs both in one launch. `form`
    2:4: half of each group of four along K is zero. Both None / DENSE: a plain matrix. `transposed_result`:
    the kernel leaves its result by columns, and a kernel of its own copies it into rows. `format` is what a
    checkpoint states of its values (None: nothing, and the execution's precision holds). `inner` (None: the
    rank): what the second factor reads, where GPUs that share a pair exchange between its factors.
    """

    out_features: int
    in_features: int
    bias: bool = False
    form: WeightForm = WeightForm.DENSE
    rank: int | None = None
    fused_pair: bool = False
    transposed_result: bool = False
    format: WeightFormat | None = None
    inner: int | None = None

    @property
    def read_rank(self) -> int | None:
        """K of the second factor; None without one."""
        return self.rank if self.inner is None else self.inner


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSkip:
    """A router decides per token whether it passes through the sublayer (dynamic-m).

    `rate` is the expected fraction of tokens that skip. `router_width` is the bottleneck of the router
    (None: one linear layer hidden -> 2). `dense_kv` keeps K and V of skipped tokens computed and cached.
    """

    rate: float
    router_width: int | None
    dense_kv: bool = True
    execution: SkipExecution


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSparsity:
    """Attention computes only `kept` of the causal (query, key) blocks of `block` tokens (dynamic-nk).

    `gate_dim` is the width of the pooled query and key vectors that a POOLED mask is estimated from. With a
    mask a HEAD, `kept` is each head's own share.
    """

    kept: float
    block: int = 64
    gate_dim: int = 128
    estimate: MaskEstimate = MaskEstimate.POOLED
    sharing: MaskSharing = MaskSharing.GROUP

    def executed_share(self, phase: Phase, group: int) -> float:
        """Share of the attention's work on (query, key) blocks that a kernel does, for GQA groups of `group`.

        Prefill gives each query head blocks of threads of its own. Decode packs the group's queries into one
        tile and reads K and V once for all, so a block runs if any of the heads keeps it: with independent
        masks a share 1 - (1 - kept)^group. SCORES saves the second of two equal halves, the product with V.
        """
        kept = self.kept
        if self.sharing is MaskSharing.HEAD and phase is Phase.DECODE:
            kept = 1 - (1 - kept) ** group
        return (1 + kept) / 2 if self.estimate is MaskEstimate.SCORES else kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Grouped-query self-attention; `num_heads` is a multiple of `num_kv_heads`.

    `kv_kept` is the fraction of cached tokens that decode attends to (kv-pruning), chosen by `kv_score`.
    `norm` is that of the input (None: there is none), `post_norm` that of the result before it is added.
    `rotary` is the share of each head that rotary position embedding turns (0: none does).
    """

    q: Linear
    k: Linear
    v: Linear
    o: Linear
    num_heads: int
    num_kv_heads: int
    head_dim: int
    qk_norm: QkNorm | None = None
    window: int | None = None
    rotary: float = 1.0
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    block_sparsity: BlockSparsity | None = None
    kv_kept: float = 1.0
    kv_score: KvScore = KvScore.POSITION
    skip: TokenSkip | None = None

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return self.q, self.k, self.v, self.o

    def cached_share(self, phase: Phase) -> float:
        """Share of the tokens so far whose K and V are in the cache.

        Less than 1 where skipped tokens leave none, and in decode where kv-pruning has evicted some: the
        prompt is read with all of them.
        """
        written = 1.0 if self.skip is None or self.skip.dense_kv else 1.0 - self.skip.rate
        return written * self.kv_kept if phase is Phase.DECODE else written


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """Gated feed-forward (SwiGLU and its like: `gate` set), or a plain one of two matrices.

    `norm` and `post_norm` are those of `Attention`; in a parallel block without a `norm` of its own, the
    sublayer reads what attention's norm has written.
    """

    gate: Linear | None
    up: Linear
    down: Linear
    activation: Activation = Activation.SILU
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    skip: TokenSkip | None = None

    @property
    def width(self) -> int:
        """The intermediate size."""
        return self.up.out_features

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return (self.up, self.down) if self.gate is None else (self.gate, self.up, self.down)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedSublayer:
    """A sublayer replaced by one linear layer hidden -> hidden (as searched architectures do)."""

    linear: Linear
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The one weight matrix."""
        return (self.linear,)


class AddedWork(Protocol):
    """A family's own work in a block: a frozen record, equal to others that do the same work."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The weight matrices that it brings, kept in 16 bit; they count as parameters and in memory."""

    def ops(self, hidden: int, scenario: Scenario) -> Iterator[Op]:
        """Its kernels, of part EXTRA, with names that the block has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer: an attention and a feed-forward sublayer, either of which may be gone (None).

    `residual_maps` is how many hidden x hidden matrices the residual stream passes through in this block
    (SliceGPT-like cross-layer width needs up to two). `parallel`: the FFN reads the block's input, as
    attention does, and both results are added at once. `added` is other work that pruning brings.
    """

    attention: Attention | ReplacedSublayer | None
    ffn: FeedForward | ReplacedSublayer | None
    residual_maps: int = 0
    parallel: bool = False
    added: tuple[AddedWork, ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidValueError for more residual maps than sublayers."""
        if self.residual_maps not in (0, 1, 2):
            raise InvalidValueError("residual_maps", self.residual_maps, "0, 1 or 2: one for each sublayer")

    @property
    def shares_norm(self) -> bool:
        """Whether the FFN reads what attention's norm has written."""
        return self.parallel and self.ffn is not None and self.ffn.norm is None

    @property
    def adds_up_once(self) -> bool:
        """Whether both results are added before GPUs that share the block add up theirs.

        A norm of the first result stands in the way.
        """
        return self.parallel and self.ffn is not None and getattr(self.attention, "post_norm", None) is None

    @property
    def linears(self) -> tuple[Linear, ...]:
        """All weight matrices of the block's sublayers (residual maps are counted apart)."""
        return (self.attention.linears if self.attention else ()) + (self.ffn.linears if self.ffn else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A whole model. `blocks` are in order; equal blocks are equal objects and are costed once.

    `scaled_residuals`: sublayers' results are multiplied by a number before they are added. `kv_dtype` is the
    KV cache's type, if the checkpoint states one, `stated` a line of all that it states of formats. `notes`
    are what people must know of where it came from. `layer_numbers`: the blocks' in a checkpoint with gaps.
    """

    name: str
    hidden: int
    vocab: int
    tied_embeddings: bool
    max_position: int
    blocks: tuple[Block, ...]
    embedding: Embedding = PLAIN_EMBEDDING
    final_norm: Norm | None = RMS_NORM
    head: Head | None = LM_HEAD
    scaled_residuals: bool = False
    kv_dtype: DType | None = None
    stated: str = field(default="", compare=False, repr=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    layer_numbers: tuple[int, ...] | None = field(default=None, compare=False, repr=False)
    _groups: tuple[tuple[Block, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Group the blocks once: comparing them takes longer than most that is asked of the groups."""
        object.__setattr__(self, "_groups", tuple(Counter(self.blocks).items()))

    @property
    def head_outputs(self) -> int:
        """Values that the head gives for a token: the vocabulary, or a classifier's labels."""
        return 0 if self.head is None else self.head.labels or self.vocab

    def grouped_blocks(self) -> Iterator[tuple[Block, int]]:
        """Each distinct block with how often it occurs, in order of first occurrence."""
        return iter(self._groups)

    def with_blocks(self, blocks: tuple[Block, ...]) -> Transformer:
        """The same model with other blocks."""
        return replace(self, blocks=blocks, layer_numbers=None)
