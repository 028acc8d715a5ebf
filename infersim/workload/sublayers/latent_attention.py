"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): K and V of all heads from one small vector.

With it, what chooses the tokens that it attends to (DeepSeek Sparse Attention, arXiv 2512.02556).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.domain.dtypes import BLOCK, SCALE_BYTES, DType
from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import LAYER_NORM, RMS_NORM, Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer:
    """Scores all tokens before a query, for the attention beside it to take the best.

    `q` gives `num_heads` queries of `head_dim` from what `q_a` wrote; `k` one key for each token, normed and
    cached in 8 bit; `weights` a weight for each head. A token's score is the sum over heads of weight times
    max(q k, 0).
    """

    q: Linear
    k: Linear
    weights: Linear
    num_heads: int
    head_dim: int
    norm: Norm = LAYER_NORM

    @property
    def cache_bytes(self) -> float:
        """Bytes in the cache for each token: its key in 8 bit and the key's scales."""
        return self.head_dim + -(-self.head_dim // BLOCK) * SCALE_BYTES

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `index_q`, `index_k`, `index_weights`."""
        return {"index_q": self.q, "index_k": self.k, "index_weights": self.weights}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Attention whose cache holds a latent vector and one rotary key for each token, for all heads together.

    Queries come from `q_b`, which reads what `q_a` wrote, or the input where there is no `q_a`. `kv_a` writes
    the latent vector of `kv_lora_rank` values and the rotary key of `qk_rope_head_dim`; `kv_b` expands the
    vector to each head's `qk_nope_head_dim` of K and `v_head_dim` of V. Prefill expands. Decode absorbs: a
    head's queries go through its K part of `kv_b`, attend to the latent vectors themselves, and the result
    goes through its V part. `latent_norm` is that of both latent vectors, `norm` and `post_norm` are those of
    `Attention`.

    `top_k` set: a query attends to no more than so many tokens, which `indexer` chooses; without one they are
    those that the layer before has chosen.
    """

    q_a: Linear | None
    q_b: Linear
    kv_a: Linear
    kv_b: Linear
    o: Linear
    num_heads: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    kv_lora_rank: int
    latent_norm: Norm | None = RMS_NORM
    norm: Norm | None = RMS_NORM
    post_norm: Norm | None = None
    indexer: Indexer | None = None
    top_k: int | None = None

    @property
    def takes_choice(self) -> bool:
        """Whether it attends to tokens that an earlier layer has chosen."""
        return self.top_k is not None and self.indexer is None

    @property
    def head_dim(self) -> int:
        """Channels of a head's query and expanded key."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def cache_width(self) -> int:
        """Values in the cache for each token: the latent vector and the rotary key."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    def latent_bytes(self, dtype: DType) -> float:
        """Bytes in the cache for each token, without an indexer's.

        In 8 bit, kernels over chosen tokens keep the rotary key in 16, and a scale for each 128 values of the
        latent vector: 656 bytes instead of 576 (deepseek-ai/FlashMLA, README).
        """
        if self.top_k is None or dtype.bytes >= DType.BF16.bytes:
            return self.cache_width * dtype.bytes
        scaled = self.kv_lora_rank * (dtype.bytes + SCALE_BYTES / BLOCK)
        return scaled + self.qk_rope_head_dim * DType.BF16.bytes

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `q_a` and `q_b` or `q`, `kv_a`, `kv_b`, the indexer's, `o`."""
        queries = {"q": self.q_b} if self.q_a is None else {"q_a": self.q_a, "q_b": self.q_b}
        index = {} if self.indexer is None else self.indexer.matrices
        return {**queries, "kv_a": self.kv_a, "kv_b": self.kv_b, **index, "o": self.o}

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return tuple(self.matrices.values())

    @property
    def latent_norm_values(self) -> int:
        """Parameters of the norms inside, the indexer's among them."""
        index = self.indexer
        of_keys = 0 if index is None else index.norm.values(index.head_dim)
        if self.latent_norm is None:
            return of_keys
        ranks = self.kv_lora_rank + (0 if self.q_a is None else self.q_a.out_features)
        return of_keys + self.latent_norm.values(ranks)

    def with_matrices(self, new: Mapping[str, Linear]) -> LatentAttention:
        """The sublayer with its weight matrices, all of them, replaced by name."""
        index = self.indexer
        if index is not None:
            q, k, weights = (new[name] for name in index.matrices)
            index = replace(index, q=q, k=k, weights=weights)
        return replace(
            self,
            q_a=new.get("q_a"),
            q_b=new["q" if self.q_a is None else "q_b"],
            kv_a=new["kv_a"],
            kv_b=new["kv_b"],
            o=new["o"],
            indexer=index,
        )
