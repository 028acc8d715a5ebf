"""A decoder-only transformer as it will be executed: dense, or after any pruning family.

Pruning families return transformers: what they change (a narrower matrix, a low-rank pair, a router that
skips tokens) is a field here, and `workload.ops` turns it into kernels. Counting lives in `counts`. The
records of sublayers stand in `workload.sublayers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from infersim.domain.dtypes import DType
from infersim.domain.errors import InvalidValueError
from infersim.domain.ops import Op
from infersim.workload.ends import LM_HEAD, PLAIN_EMBEDDING, Embedding, Head
from infersim.workload.scenario import Scenario
from infersim.workload.sublayers.attention import Attention
from infersim.workload.sublayers.experts import ExpertLayer
from infersim.workload.sublayers.feed_forward import FeedForward, ReplacedSublayer
from infersim.workload.sublayers.latent_attention import LatentAttention
from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import RMS_NORM, Norm
from infersim.workload.sublayers.sparsity import (
    BlockSparsity,
    GroupSkip,
    KvScore,
    MaskEstimate,
    MaskSharing,
    SkipExecution,
    TokenSkip,
)

__all__ = [
    "AddedWork",
    "Attention",
    "AttentionSublayer",
    "Block",
    "BlockSparsity",
    "ExpertLayer",
    "FeedForward",
    "FfnSublayer",
    "GroupSkip",
    "KvScore",
    "LatentAttention",
    "Linear",
    "MaskEstimate",
    "MaskSharing",
    "ReplacedSublayer",
    "SkipExecution",
    "TokenSkip",
    "Transformer",
    "has_experts",
    "weights_of",
]

AttentionSublayer: TypeAlias = Attention | LatentAttention | ReplacedSublayer
"""What may stand in the place of a block's attention."""

FfnSublayer: TypeAlias = FeedForward | ExpertLayer | ReplacedSublayer
"""What may stand in the place of a block's feed-forward sublayer."""


def weights_of(sublayer: AttentionSublayer | FfnSublayer | None) -> Iterator[tuple[Linear, int]]:
    """Each weight matrix of a sublayer with how many like it are stored: as many as a layer has experts."""
    if isinstance(sublayer, ExpertLayer):
        yield from sublayer.weights()
    elif sublayer is not None:
        yield from ((linear, 1) for linear in sublayer.linears)


def has_experts(transformer: Transformer) -> bool:
    """Whether any layer has experts."""
    return any(isinstance(block.ffn, ExpertLayer) for block, _ in transformer.grouped_blocks())


def chooses_tokens(transformer: Transformer) -> bool:
    """Whether any layer attends to tokens that an indexer has chosen."""
    attentions = (block.attention for block, _ in transformer.grouped_blocks())
    return any(isinstance(each, LatentAttention) and each.top_k is not None for each in attentions)


def is_dense(transformer: Transformer) -> bool:
    """Whether there are FFNs, none of which has experts; not where pruning left no FFN at all."""
    kinds = {type(block.ffn) for block, _ in transformer.grouped_blocks()}
    return FeedForward in kinds and ExpertLayer not in kinds


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

    attention: AttentionSublayer | None
    ffn: FfnSublayer | None
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
        """All weight matrices of the block's sublayers (residual maps are counted apart).

        Those of an expert stand for all experts of their layer; `weights` says how many there are.
        """
        return (self.attention.linears if self.attention else ()) + (self.ffn.linears if self.ffn else ())

    def weights(self) -> Iterator[tuple[Linear, int]]:
        """Each of `linears` with how many matrices like it are stored."""
        yield from weights_of(self.attention)
        yield from weights_of(self.ffn)


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
