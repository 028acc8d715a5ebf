"""Small models and the plans that every executor is tested with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from infersim.measuring.model.execution.block_attention import attend_by_rows
from infersim.measuring.model.execution.executor import Kernels, ModelExecutor, build
from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan
from infersim.workload.scenario import Execution, Layout
from infersim.workload.sublayers.norms import QkNorm
from infersim.workload.transformer import (
    Attention,
    Block,
    FeedForward,
    Linear,
    ReplacedSublayer,
    Transformer,
)
from tests.toy_models import transformer_from_sizes

HIDDEN, LAYERS, HEADS, KV_HEADS, WIDTH, VOCAB = 64, 3, 8, 2, 96, 50

MASKED = Kernels(compress=lambda weight: weight, block_attention=attend_by_rows)
"""2:4 matrices as dense ones with zeros: what the sparse kernel computes, on any device."""


def dense() -> Transformer:
    return transformer_from_sizes(
        hidden=HIDDEN, layers=LAYERS, num_heads=HEADS, num_kv_heads=KV_HEADS, width=WIDTH, vocab=VOCAB
    )


def changed(model: Transformer, **fields: object) -> Transformer:
    """The model with fields of every attention changed."""
    blocks = []
    for block in model.blocks:
        assert isinstance(block.attention, Attention)
        blocks.append(replace(block, attention=replace(block.attention, **fields)))  # type: ignore[arg-type]
    return model.with_blocks(tuple(blocks))


def qwen_like() -> Transformer:
    """Norms on q and k, and biases on q, k and v."""
    model = changed(dense(), qk_norm=QkNorm())
    blocks = []
    for block in model.blocks:
        assert isinstance(block.attention, Attention)
        q, k, v = (replace(each, bias=True) for each in block.attention.linears[:3])
        blocks.append(replace(block, attention=replace(block.attention, q=q, k=k, v=v)))
    return model.with_blocks(tuple(blocks))


def searched() -> Transformer:
    """Sublayers that are gone, or one linear layer; a plain two-matrix FFN."""
    first, second, third = dense().blocks
    linear = ReplacedSublayer(linear=Linear(out_features=HIDDEN, in_features=HIDDEN))
    assert isinstance(third.ffn, FeedForward)
    blocks: tuple[Block, ...] = (
        replace(first, attention=linear),
        replace(second, ffn=linear),
        replace(second, attention=None),
        replace(third, ffn=None),
        replace(third, ffn=replace(third.ffn, gate=None)),
    )
    return dense().with_blocks(blocks)


def routed(model: Transformer | Plan, rate: float, **options: bool | int | str) -> Transformer:
    """Tokens routed around sublayers, and gathered, as library kernels need them."""
    return prune(model, "dynamic-m", rate, execution="gather", **options).transformer


def tied() -> Transformer:
    return replace(dense(), tied_embeddings=True)


MODELS: dict[str, Callable[[], Transformer]] = {
    "dense": dense,
    "qk norm and biases": qwen_like,
    "searched": searched,
    "tied": tied,
    "window": lambda: changed(dense(), window=5),
    "static-m": lambda: prune(dense(), "static-m", 0.4).transformer,
    "static-m ffn": lambda: prune(dense(), "static-m", 0.4, target="ffn").transformer,
    "2:4": lambda: prune(dense(), "static-k-2:4").transformer,
    "low rank": lambda: prune(dense(), "static-k-lowrank", 0.5, align=4).transformer,
    "low rank with biases": lambda: prune(qwen_like(), "static-k-lowrank", 0.5, align=4).transformer,
    "low rank attention": lambda: (
        prune(dense(), "static-k-lowrank", 0.5, align=4, target="attention").transformer
    ),
    "static-nk": lambda: prune(dense(), "static-nk", 0.5, align=8).transformer,
    "query heads only": lambda: prune(dense(), "static-nk", 0.5, align=8, kv_heads="keep").transformer,
    "cross": lambda: prune(dense(), "static-nk-cross", 0.5, align=8).transformer,
    "cross, no maps": lambda: prune(dense(), "static-nk-cross", 0.25, align=8, residual_maps=0).transformer,
    "dynamic-m": lambda: routed(dense(), 0.5),
    "dynamic-m, one-layer router": lambda: routed(dense(), 0.25, router_width=0),
    "dynamic-m ffn": lambda: routed(dense(), 0.5, target="ffn"),
    "dynamic-m attention": lambda: routed(dense(), 0.5, target="attention"),
    "dynamic-m, sparse K and V": lambda: routed(dense(), 0.5, dense_kv=False),
    "dynamic-m in a window": lambda: routed(changed(dense(), window=5), 0.5),
    "dynamic-nk": lambda: prune(dense(), "dynamic-nk", 0.5, block=4, gate_dim=6).transformer,
    "dynamic-nk, a mask a head": lambda: (
        prune(dense(), "dynamic-nk", 0.5, block=4, gate_dim=6, masks="head").transformer
    ),
    "kv-pruning": lambda: prune(dense(), "kv-pruning", 0.5).transformer,
    "kv-pruning in a window": lambda: prune(changed(dense(), window=5), "kv-pruning", 0.5).transformer,
    "cross and dynamic-m": lambda: (
        prune(
            prune(dense(), "static-nk-cross", 0.25, align=8), "dynamic-m", 0.5, execution="gather"
        ).transformer
    ),
    "depth, width and rank": lambda: (
        prune(
            prune(prune(dense(), "static-m", 0.3), "static-nk", 0.25, align=8),
            "static-k-lowrank",
            0.5,
            align=4,
        ).transformer
    ),
}


def executor_of(
    model: Transformer,
    *,
    layout: Layout = Layout.FUSED,
    dtype: torch.dtype = torch.float64,
    kernels: Kernels | None = MASKED,
    seed: int = 0,
) -> ModelExecutor:
    """The model with its weights kept, on the CPU."""
    return build(
        model,
        Execution(layout=layout, cuda_graph=False),
        torch.device("cpu"),
        dtype=dtype,
        kernels=kernels,
        seed=seed,
        keep_weights=True,
    )
