"""Grouped-query self-attention, dense or after pruning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.domain.shapes import Phase
from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import RMS_NORM, Norm, QkNorm
from infersim.workload.sublayers.sparsity import BlockSparsity, GroupSkip, KvScore, TokenSkip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Grouped-query self-attention; `num_heads` is a multiple of `num_kv_heads`.

    `kv_kept` is the fraction of cached tokens that decode attends to (kv-pruning), chosen by `kv_score`.
    `norm` is that of the input (None: there is none), `post_norm` that of the result before it is added.
    `rotary` is the share of each head that rotary position embedding turns (0: none does). `sinks`: each head
    has a learned score that takes part in the softmax and attends to nothing. `chunk`: tokens are cut into
    chunks of so many, and a query sees its own chunk up to itself (None: all tokens are one).
    `groups` are of query heads. `value_dim` are the channels of a head of V (None: as many as K's). `gate`
    reads the input, and the result is multiplied by the sigmoid of what it gives before `o` reads it.
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
    chunk: int | None = None
    rotary: float = 1.0
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    sinks: bool = False
    block_sparsity: BlockSparsity | None = None
    kv_kept: float = 1.0
    kv_score: KvScore = KvScore.POSITION
    skip: TokenSkip | None = None
    groups: GroupSkip | None = None
    value_dim: int | None = None
    gate: Linear | None = None

    @property
    def v_head_dim(self) -> int:
        """Channels of a head of V, and of its result."""
        return self.head_dim if self.value_dim is None else self.value_dim

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return tuple(self.matrices.values())

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `q`, `k`, `v`, `o_gate` where there is a gate, `o`."""
        gate = {} if self.gate is None else {"o_gate": self.gate}
        return {"q": self.q, "k": self.k, "v": self.v, **gate, "o": self.o}

    def with_matrices(self, new: Mapping[str, Linear]) -> Attention:
        """The sublayer with its weight matrices, all of them, replaced by name."""
        return replace(self, q=new["q"], k=new["k"], v=new["v"], o=new["o"], gate=new.get("o_gate"))

    def cached_share(self, phase: Phase) -> float:
        """Share of the tokens so far whose K and V are in the cache.

        Less than 1 where skipped tokens leave none, and in decode where kv-pruning has evicted some: the
        prompt is read with all of them.
        """
        written = 1.0 if self.skip is None or self.skip.dense_kv else 1.0 - self.skip.rate
        return written * self.kv_kept if phase is Phase.DECODE else written
