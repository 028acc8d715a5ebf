"""Sublayers from their sizes."""

from __future__ import annotations

from infersim.domain.errors import InvalidValueError
from infersim.workload.sublayers.activations import Activation
from infersim.workload.sublayers.latent_attention import Indexer
from infersim.workload.sublayers.norms import RMS_NORM, Norm, QkNorm
from infersim.workload.transformer import Attention, ExpertLayer, FeedForward, LatentAttention, Linear


def grouped_query_attention(
    *,
    hidden: int,
    num_heads: int,
    num_kv_heads: int,
    head_dim: int,
    value_dim: int | None = None,
    qkv_bias: bool = False,
    o_bias: bool = False,
    qk_norm: QkNorm | None = None,
    window: int | None = None,
    rotary: float = 1.0,
    norm: Norm | None = RMS_NORM,
    post_norm: Norm | None = None,
) -> Attention:
    """Attention whose `num_heads` queries share `num_kv_heads` keys and values, of `value_dim` where that is
    not the keys' size.

    Raises InvalidValueError where the heads do not divide into equal groups.
    """
    if num_kv_heads < 1 or num_heads % num_kv_heads:
        raise InvalidValueError("num_kv_heads", num_kv_heads, f"a divisor of num_heads = {num_heads}")
    size_of_v = head_dim if value_dim is None else value_dim
    return Attention(
        q=Linear(out_features=num_heads * head_dim, in_features=hidden, bias=qkv_bias),
        k=Linear(out_features=num_kv_heads * head_dim, in_features=hidden, bias=qkv_bias),
        v=Linear(out_features=num_kv_heads * size_of_v, in_features=hidden, bias=qkv_bias),
        o=Linear(out_features=hidden, in_features=num_heads * size_of_v, bias=o_bias),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        value_dim=None if size_of_v == head_dim else value_dim,
        qk_norm=qk_norm,
        window=window,
        rotary=rotary,
        norm=norm,
        post_norm=post_norm,
    )


def feed_forward(
    *,
    hidden: int,
    width: int,
    gate: bool = True,
    bias: bool = False,
    activation: Activation = Activation.SILU,
    norm: Norm | None = RMS_NORM,
    post_norm: Norm | None = None,
) -> FeedForward:
    """A feed-forward sublayer of intermediate size `width`, gated or of two matrices."""
    inwards = Linear(out_features=width, in_features=hidden, bias=bias)
    return FeedForward(
        gate=inwards if gate else None,
        up=inwards,
        down=Linear(out_features=hidden, in_features=width, bias=bias),
        activation=activation,
        norm=norm,
        post_norm=post_norm,
    )


def expert_layer(
    *,
    hidden: int,
    width: int,
    num_experts: int,
    top_k: int,
    gate: bool = True,
    bias: bool = False,
    router_bias: bool = False,
    correction: bool = False,
    activation: Activation = Activation.SILU,
    shared_width: int = 0,
    shared_gate: bool = False,
    popularity: float = 0.0,
    shared_bias: bool = False,
    norm: Norm | None = RMS_NORM,
    post_norm: Norm | None = None,
) -> ExpertLayer:
    """A layer of experts of intermediate size `width` each; `shared_width` 0: no shared one."""
    shared = None
    if shared_width:
        shared = feed_forward(
            hidden=hidden, width=shared_width, gate=gate, bias=shared_bias, activation=activation, norm=None
        )
    return ExpertLayer(
        router=Linear(out_features=num_experts, in_features=hidden, bias=router_bias, sixteen_bit=True),
        num_experts=num_experts,
        top_k=top_k,
        expert=feed_forward(
            hidden=hidden, width=width, gate=gate, bias=bias, activation=activation, norm=None
        ),
        shared=shared,
        shared_gate=shared_gate,
        popularity=popularity,
        correction=correction,
        norm=norm,
        post_norm=post_norm,
    )


def latent_attention(
    *,
    hidden: int,
    num_heads: int,
    q_lora_rank: int | None,
    kv_lora_rank: int,
    qk_nope_head_dim: int,
    qk_rope_head_dim: int,
    v_head_dim: int,
    bias: bool = False,
    norm: Norm | None = RMS_NORM,
    post_norm: Norm | None = None,
) -> LatentAttention:
    """Latent attention; `q_lora_rank` None: queries come from one matrix. `bias`: of q_a, kv_a and o."""
    queries = num_heads * (qk_nope_head_dim + qk_rope_head_dim)
    q_a = None
    if q_lora_rank is not None:
        q_a = Linear(out_features=q_lora_rank, in_features=hidden, bias=bias)
    return LatentAttention(
        q_a=q_a,
        q_b=Linear(out_features=queries, in_features=hidden if q_lora_rank is None else q_lora_rank),
        kv_a=Linear(out_features=kv_lora_rank + qk_rope_head_dim, in_features=hidden, bias=bias),
        kv_b=Linear(out_features=num_heads * (qk_nope_head_dim + v_head_dim), in_features=kv_lora_rank),
        o=Linear(out_features=hidden, in_features=num_heads * v_head_dim, bias=bias),
        num_heads=num_heads,
        qk_nope_head_dim=qk_nope_head_dim,
        qk_rope_head_dim=qk_rope_head_dim,
        v_head_dim=v_head_dim,
        kv_lora_rank=kv_lora_rank,
        norm=norm,
        post_norm=post_norm,
    )


def indexer(*, hidden: int, q_lora_rank: int, num_heads: int, head_dim: int) -> Indexer:
    """What chooses tokens for latent attention; its weights of heads stay in 16 bit."""
    return Indexer(
        q=Linear(out_features=num_heads * head_dim, in_features=q_lora_rank),
        k=Linear(out_features=head_dim, in_features=hidden),
        weights=Linear(out_features=num_heads, in_features=hidden, sixteen_bit=True),
        num_heads=num_heads,
        head_dim=head_dim,
    )


def swiglu(*, hidden: int, width: int, bias: bool = False) -> FeedForward:
    """A gated feed-forward sublayer of intermediate size `width`."""
    return feed_forward(hidden=hidden, width=width, bias=bias)
