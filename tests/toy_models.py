"""Models for tests, from their sizes."""

from __future__ import annotations

from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.sublayers.norms import QkNorm
from infersim.workload.transformer import Block, SkipExecution, TokenSkip, Transformer


def transformer_from_sizes(
    *,
    hidden: int,
    layers: int,
    num_heads: int,
    num_kv_heads: int,
    width: int,
    vocab: int,
    head_dim: int | None = None,
    qk_norm: bool = False,
    window: int | None = None,
    tied_embeddings: bool = False,
    max_position: int = 131072,
    name: str = "custom",
) -> Transformer:
    """A Llama-like transformer of equal blocks without biases; `head_dim` None: hidden / num_heads."""
    block = Block(
        attention=grouped_query_attention(
            hidden=hidden,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim or hidden // num_heads,
            qk_norm=QkNorm() if qk_norm else None,
            window=window,
        ),
        ffn=swiglu(hidden=hidden, width=width),
    )
    return Transformer(
        name=name,
        hidden=hidden,
        vocab=vocab,
        tied_embeddings=tied_embeddings,
        max_position=max_position,
        blocks=(block,) * layers,
    )


def gathering_skip(rate: float, *, router_width: int | None = None, dense_kv: bool = True) -> TokenSkip:
    """Tokens that skip at `rate`, the kept ones gathered; a router of one layer."""
    return TokenSkip(rate=rate, router_width=router_width, dense_kv=dense_kv, execution=SkipExecution.GATHER)
