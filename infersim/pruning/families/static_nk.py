"""static-nk: attention heads and FFN columns are gone; N of one GEMM and K of the next shrink together.

- Loses: N of q, k, v and K of o (heads); N of gate and up and K of down (FFN width). The attention kernel
  and the KV cache lose the same heads, the activation the same columns. The hidden size stays.
- Sparsity: the fraction of the targeted block linears' parameters. Heads go in whole KV groups (a KV head
  with its query heads), s of them, rounded, at least one stays; the FFN width then absorbs what rounding
  left, so that (1 - s) of each block's parameters remain, rounded to a multiple of `align`.
- Adds: nothing.
- Options:
  - `target`: `both` (default), `heads` or `ffn`; sparsity is then the fraction of those matrices.
  - `kv_heads`: `prune` (default: the KV cache shrinks too, as in the source paper's code) or `keep`: query
    heads go within each group, and k, v and the KV cache stay. With `target = heads`, k and v then hold back
    their share of the realised sparsity.
  - `align`: 64 (default: one 64-deep K step of 16-bit tensor-core kernels and half an N tile, so neither
    GEMM runs a padded step; below 16, kernels lose part of the gain).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InvalidValueError
from infersim.domain.ops import Part
from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import (
    Family,
    Pruned,
    check_choice,
    check_integer,
    nearest_multiple,
    round_half_up,
)
from infersim.pruning.linears import (
    ATTENTION_SUBLAYER,
    refuse_experts,
    refuse_latent,
    removed_share,
    resized,
    targeted_linears,
)
from infersim.pruning.sublayer_pairs import Comparison, Finding, parts_of, values_of
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer

TARGETS = {
    "both": ATTENTION_SUBLAYER | {Part.FFN},
    "heads": ATTENTION_SUBLAYER,
    "ffn": frozenset({Part.FFN}),
}

SUBLAYER_OF = {"both": "both", "heads": "attention", "ffn": "ffn"}


def static_nk(
    model: Transformer,
    sparsity: float,
    *,
    target: str = "both",
    kv_heads: str = "prune",
    align: int = 64,
) -> Pruned:
    """Cut heads and FFN width in every block so that (1 - s) of its targeted parameters stay."""
    check_choice("target", target, tuple(TARGETS))
    check_choice("kv_heads", kv_heads, ("prune", "keep"))
    check_integer("align", align, low=1)
    before = targeted_linears(model, SUBLAYER_OF[target])
    blocks = model.blocks
    if sparsity > 0:
        blocks = tuple(_narrowed(block, sparsity, target, kv_heads, align) for block in blocks)
    transformer = model.with_blocks(blocks)
    return Pruned(
        transformer=transformer,
        sparsity_realised=removed_share(before, targeted_linears(transformer, SUBLAYER_OF[target])),
        targets=TARGETS[target],
    )


def with_heads(attention: Attention, num_heads: int, num_kv_heads: int) -> Attention:
    """The sublayer with fewer heads: N of q, k and v and K of o follow."""
    q_features, kv_features = num_heads * attention.head_dim, num_kv_heads * attention.head_dim
    return replace(
        attention,
        q=resized(attention.q, out_features=q_features),
        k=resized(attention.k, out_features=kv_features),
        v=resized(attention.v, out_features=kv_features),
        o=resized(attention.o, in_features=q_features),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
    )


def with_width(ffn: FeedForward, width: int) -> FeedForward:
    """The sublayer with another intermediate size: N of gate and up and K of down follow."""
    return replace(
        ffn,
        gate=None if ffn.gate is None else resized(ffn.gate, out_features=width),
        up=resized(ffn.up, out_features=width),
        down=resized(ffn.down, in_features=width),
    )


def _narrowed(block: Block, sparsity: float, target: str, kv_heads: str, align: int) -> Block:
    attention, ffn = block.attention, block.ffn
    if target != "ffn":
        refuse_latent(block, "static-nk of heads")
    if target != "heads":
        refuse_experts(block, "static-nk of the FFN width")
    owed = 0.0
    if target != "ffn" and isinstance(attention, Attention):
        fewer = _fewer_heads(attention, sparsity, kv_heads)
        owed = sparsity * values_of(attention.linears) - (
            values_of(attention.linears) - values_of(fewer.linears)
        )
        attention = fewer
    if target != "heads" and isinstance(ffn, FeedForward):
        values = values_of(ffn.linears)
        width = ffn.width * (values - sparsity * values - owed) / values
        ffn = with_width(ffn, min(nearest_multiple(width, align), ffn.width))
    return replace(block, attention=attention, ffn=ffn)


def _fewer_heads(attention: Attention, sparsity: float, kv_heads: str) -> Attention:
    groups = attention.num_kv_heads
    group_size = attention.num_heads // groups
    if kv_heads == "prune":
        kept = groups - min(round_half_up(sparsity * groups), groups - 1)
        return with_heads(attention, kept * group_size, kept)
    if group_size == 1:
        raise InvalidValueError(
            "kv_heads", kv_heads, "prune for a model whose KV heads serve one query head each"
        )
    kept = group_size - min(round_half_up(sparsity * group_size), group_size - 1)
    return with_heads(attention, kept * groups, groups)


def _recognised(found: Comparison) -> Finding | None:
    """Sublayers of other widths, each width counting alike."""
    narrower = [pair for pair in found.survivors if pair.pruned_widths != pair.dense_widths]
    if not narrower:
        return None
    # Each width stands for `hidden` parameters, which cancels.
    before = sum(sum(pair.dense_widths) for pair in found.survivors)
    after = sum(sum(pair.pruned_widths) for pair in found.survivors)
    return Finding(realised=1 - after / before, parts=parts_of(narrower))


STATIC_NK = Family(
    name="static-nk",
    summary="attention heads and FFN width cut",
    function=static_nk,
    recognised=_recognised,
    colour="purple",
    marker="triangle-up",
    engines=(
        runs("vllm", "github.com/vllm-project/vllm/pull/6611 (Minitron: head_dim)", since="0.5.4"),
        runs(
            "tensorrt-llm",
            "nvidia.github.io/TensorRT-LLM, supported models: widths, head_dim",
        ),
        runs("sglang", "sglang/srt/models/llama.py: widths and head_dim of the config"),
        runs("transformers", "transformers/models/llama/configuration_llama.py: head_dim", since="4.45"),
        runs("pruninginfersim", "arXiv:2606.09080", per_layer=True),
    ),
)
