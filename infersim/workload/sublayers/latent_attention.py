"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): K and V of all heads from one small vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.workload.sublayers.linear import Linear
from infersim.workload.sublayers.norms import RMS_NORM, Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Attention whose cache holds a latent vector and one rotary key for each token, for all heads together.

    Queries come from `q_b`, which reads what `q_a` wrote, or the input where there is no `q_a`. `kv_a` writes
    the latent vector of `kv_lora_rank` values and the rotary key of `qk_rope_head_dim`; `kv_b` expands the
    vector to each head's `qk_nope_head_dim` of K and `v_head_dim` of V. Prefill expands. Decode absorbs: a
    head's queries go through its K part of `kv_b`, attend to the latent vectors themselves, and the result
    goes through its V part. `latent_norm` is that of both latent vectors, `norm` and `post_norm` are those of
    `Attention`.
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

    @property
    def head_dim(self) -> int:
        """Channels of a head's query and expanded key."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def cache_width(self) -> int:
        """Values in the cache for each token: the latent vector and the rotary key."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    @property
    def matrices(self) -> Mapping[str, Linear]:
        """The weight matrices by name: `q_a` and `q_b` or `q`, `kv_a`, `kv_b`, `o`."""
        queries = {"q": self.q_b} if self.q_a is None else {"q_a": self.q_a, "q_b": self.q_b}
        return {**queries, "kv_a": self.kv_a, "kv_b": self.kv_b, "o": self.o}

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The sublayer's weight matrices."""
        return tuple(self.matrices.values())

    @property
    def latent_norm_values(self) -> int:
        """Parameters of the norms inside."""
        if self.latent_norm is None:
            return 0
        ranks = self.kv_lora_rank + (0 if self.q_a is None else self.q_a.out_features)
        return self.latent_norm.values(ranks)

    def with_matrices(self, new: Mapping[str, Linear]) -> LatentAttention:
        """The sublayer with its weight matrices, all of them, replaced by name."""
        return replace(
            self,
            q_a=new.get("q_a"),
            q_b=new["q" if self.q_a is None else "q_b"],
            kv_a=new["kv_a"],
            kv_b=new["kv_b"],
            o=new["o"],
        )
