"""How pruning leaves out tokens, attention blocks and cached tokens while a model runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from infersim.cost.gemm.group_skip import GroupKernels
from infersim.domain.shapes import Phase


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
class TokenSkip:
    """A router decides per token whether it passes through the sublayer (dynamic-m).

    `rate` is the expected fraction of tokens that skip. `router_width` is the bottleneck of the router
    (None: one linear layer hidden -> 2). `dense_kv` keeps K and V of skipped tokens computed and cached.
    `forecaster` is the rank of two layers that stand in for what is skipped (None: nothing does). `decides`
    False: there is no router, the tokens are those that the router before let through.
    """

    rate: float
    router_width: int | None
    dense_kv: bool = True
    execution: SkipExecution
    forecaster: int | None = None
    decides: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSkip:
    """A router decides per token which groups of the sublayer's width it passes through (dynamic-mnk).

    `rate` is the expected fraction of a group's tokens that skip it; `group` is how many query heads, or FFN
    channels, are one (the last group may be smaller). `router_width` is the bottleneck of the router.
    """

    rate: float
    group: int
    router_width: int
    kernels: GroupKernels = GroupKernels.CUTE

    def count(self, width: int) -> int:
        """Groups of a sublayer of so many heads or channels."""
        return ceil(width / self.group)

    def cached_share(self, group_of_kv_head: int) -> float:
        """Share of its K and V that decode reads: a KV head is read if any group of its query heads is."""
        groups = max(1, group_of_kv_head // self.group)
        return 1.0 - self.rate**groups


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
