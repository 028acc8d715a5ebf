"""Tensors of Llama-like models, any of whose layers may have been pruned or packed, and configs to match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infersim.workload.transformer import Attention, FeedForward, Linear, ReplacedSublayer, Transformer
from tests.workload.checkpoint.writing import Shapes

Packed = Callable[[Linear], Mapping[str, tuple[str, tuple[int, ...]]]]
"""From a matrix to its tensors by suffix."""

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 256,
    "intermediate_size": 640,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 512,
    "max_position_embeddings": 128,
}
"""Six layers of 8 heads of 32 on 4 KV heads, FFN 640, hidden 256."""

_NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def plain(linear: Linear) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """One weight in bf16, or two factors as ASVD names them, and a bias where there is one."""
    n, k, rank = linear.out_features, linear.in_features, linear.rank
    bias: dict[str, tuple[str, tuple[int, ...]]] = {"bias": ("BF16", (n,))} if linear.bias else {}
    if rank is not None:
        return {"ALinear.weight": ("BF16", (n, rank)), "BLinear.weight": ("BF16", (rank, k)), **bias}
    return {"weight": ("BF16", (n, k)), **bias}


def shapes_of(model: Transformer, packed: Packed = plain, numbers: tuple[int, ...] | None = None) -> Shapes:
    """What the model's weight files hold, its layers numbered by `numbers`."""
    hidden = model.hidden
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "model.embed_tokens.weight": ("BF16", (model.vocab, hidden)),
        "model.norm.weight": ("BF16", (hidden,)),
        "lm_head.weight": ("BF16", (model.vocab, hidden)),
    }
    for number, block in zip(numbers or range(len(model.blocks)), model.blocks, strict=True):
        layer = f"model.layers.{number}"
        named: dict[str, Linear] = {}
        if isinstance(block.attention, Attention):
            named |= dict(zip("qkvo", block.attention.linears, strict=True))
        if isinstance(block.ffn, FeedForward):
            named |= dict(zip(("gate", "up", "down"), block.ffn.linears, strict=True))
        for name, linear in named.items():
            found |= {f"{layer}.{_NAMES[name]}.{suffix}": each for suffix, each in packed(linear).items()}
        for place, sublayer in (("self_attn.linear_attn", block.attention), ("mlp.linear_mlp", block.ffn)):
            if isinstance(sublayer, ReplacedSublayer):
                n, k = sublayer.linear.out_features, sublayer.linear.in_features
                found[f"{layer}.{place}.weight"] = ("BF16", (n, k))
        if block.attention is not None:
            found[f"{layer}.input_layernorm.weight"] = ("BF16", (hidden,))
        if block.ffn is not None:
            found[f"{layer}.post_attention_layernorm.weight"] = ("BF16", (hidden,))
    return found
