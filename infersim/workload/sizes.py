"""Sublayers from their sizes."""

from __future__ import annotations

from infersim.domain.errors import InvalidValueError
from infersim.workload.activations import Activation
from infersim.workload.norms import RMS_NORM, Norm, QkNorm
from infersim.workload.transformer import Attention, FeedForward, Linear


def grouped_query_attention(
    *,
    hidden: int,
    num_heads: int,
    num_kv_heads: int,
    head_dim: int,
    qkv_bias: bool = False,
    o_bias: bool = False,
    qk_norm: QkNorm | None = None,
    window: int | None = None,
    rotary: float = 1.0,
    norm: Norm | None = RMS_NORM,
    post_norm: Norm | None = None,
) -> Attention:
    """Attention whose `num_heads` queries share `num_kv_heads` keys and values.

    Raises InvalidValueError where the heads do not divide into equal groups.
    """
    if num_kv_heads < 1 or num_heads % num_kv_heads:
        raise InvalidValueError("num_kv_heads", num_kv_heads, f"a divisor of num_heads = {num_heads}")
    query, key_value = num_heads * head_dim, num_kv_heads * head_dim
    return Attention(
        q=Linear(out_features=query, in_features=hidden, bias=qkv_bias),
        k=Linear(out_features=key_value, in_features=hidden, bias=qkv_bias),
        v=Linear(out_features=key_value, in_features=hidden, bias=qkv_bias),
        o=Linear(out_features=hidden, in_features=query, bias=o_bias),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
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


def swiglu(*, hidden: int, width: int, bias: bool = False) -> FeedForward:
    """A gated feed-forward sublayer of intermediate size `width`."""
    return feed_forward(hidden=hidden, width=width, bias=bias)
