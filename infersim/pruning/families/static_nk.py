"""static-nk: attention heads and FFN columns are gone; N of one GEMM and K of the next shrink together.

- Loses: N of q, k, v and K of o (heads); N of gate and up and K of down (FFN width, that of each expert and
  of the shared one alike). The attention kernel and the KV cache lose the same heads, the activation the same
  columns. The hidden size stays, and so does the router. Of latent attention heads go one by one, and its
  cache, which is that of all heads, stays.
- Sparsity: the fraction of the targeted block linears' parameters. Heads go in whole KV groups (a KV head
  with its query heads), s of them, rounded, at least one stays; the FFN width then absorbs what rounding
  left, so that (1 - s) of each block's parameters remain, rounded to a multiple of `align`.
- Adds: nothing.
- Options:
  - `target`: `both` (default), `heads`, `ffn` or `experts` (the width of routed experts alone); sparsity is
    then the fraction of those matrices.
  - `kv_heads`: `prune` (default: the KV cache shrinks too, as in the source paper's code) or `keep`: query
    heads go within each group, and k, v and the KV cache stay. With `target = heads`, k and v then hold back
    their share of the realised sparsity.
  - `align`: 64 (default: one 64-deep K step of 16-bit tensor-core kernels and half an N tile, so neither
    GEMM runs a padded step; below 16, kernels lose part of the gain).
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.pruning.families.engine_support import runs
from infersim.pruning.families.family import (
    Family,
    Pruned,
    check_choice,
    check_integer,
    nearest_multiple,
    round_half_up,
)
from infersim.pruning.linears import ATTENTION_SUBLAYER, FFN_SUBLAYER, resized, stored_linears
from infersim.pruning.sublayer_pairs import Comparison, Finding, parts_of, values_of, width_sums
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    LatentAttention,
    Transformer,
)

TARGETS = {
    "both": ATTENTION_SUBLAYER | FFN_SUBLAYER,
    "heads": ATTENTION_SUBLAYER,
    "ffn": FFN_SUBLAYER,
    "experts": FFN_SUBLAYER,
}


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
    before = _targeted_values(model, target)
    blocks = model.blocks
    if sparsity > 0:
        blocks = tuple(_narrowed(block, sparsity, target, kv_heads, align) for block in blocks)
    transformer = model.with_blocks(blocks)
    return Pruned(
        transformer=transformer,
        sparsity_realised=1 - _targeted_values(transformer, target) / before,
        targets=TARGETS[target],
    )


def _targeted_values(model: Transformer, target: str) -> float:
    """Values of the matrices that sparsity is a fraction of; UnsupportedError where there are none."""
    found = 0.0
    for block, times in model.grouped_blocks():
        if target in ("both", "heads"):
            found += times * values_of(stored_linears(block.attention))
        if target != "heads":
            found += times * _width_values(block.ffn, routed_only=target == "experts")
    if not found:
        what = {"heads": "attention", "both": "both"}.get(target, target)
        raise UnsupportedError(f"{model.name} has no weight matrices in {what} sublayers")
    return found


def _width_values(ffn: FfnSublayer | None, *, routed_only: bool) -> float:
    """Of all experts and the shared one, without the router; or of a dense FFN."""
    if isinstance(ffn, ExpertLayer):
        shared = () if routed_only or ffn.shared is None else ffn.shared.linears
        return ffn.num_experts * values_of(ffn.expert.linears) + values_of(shared)
    return 0.0 if routed_only or ffn is None else values_of(ffn.linears)


def with_heads(attention: Attention, num_heads: int, num_kv_heads: int) -> Attention:
    """The sublayer with fewer heads: N of q, k and v and K of o follow."""
    size, size_of_v = attention.head_dim, attention.v_head_dim
    return replace(
        attention,
        q=resized(attention.q, out_features=num_heads * size),
        k=resized(attention.k, out_features=num_kv_heads * size),
        v=resized(attention.v, out_features=num_kv_heads * size_of_v),
        o=resized(attention.o, in_features=num_heads * size_of_v),
        gate=attention.gate and resized(attention.gate, out_features=num_heads * size_of_v),
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


def with_expert_width(layer: ExpertLayer, width: int) -> ExpertLayer:
    """The layer whose routed experts have another width; the shared one keeps its own."""
    return replace(layer, expert=with_width(layer.expert, width))


def with_latent_heads(attention: LatentAttention, num_heads: int) -> LatentAttention:
    """The sublayer with fewer heads: N of what expands queries and latent vectors and K of o follow."""
    expanded = attention.qk_nope_head_dim + attention.v_head_dim
    return replace(
        attention,
        q_b=resized(attention.q_b, out_features=num_heads * attention.head_dim),
        kv_b=resized(attention.kv_b, out_features=num_heads * expanded),
        o=resized(attention.o, in_features=num_heads * attention.v_head_dim),
        num_heads=num_heads,
    )


def _narrowed(block: Block, sparsity: float, target: str, kv_heads: str, align: int) -> Block:
    attention, ffn = block.attention, block.ffn
    owed = 0.0
    if target in ("both", "heads") and isinstance(attention, Attention | LatentAttention):
        fewer = _fewer_heads(attention, sparsity, kv_heads)
        owed = sparsity * values_of(attention.linears) - (
            values_of(attention.linears) - values_of(fewer.linears)
        )
        attention = fewer
    if target != "heads" and isinstance(ffn, FeedForward | ExpertLayer):
        values = _width_values(ffn, routed_only=target == "experts")
        if values:
            ffn = _narrower(ffn, 1 - sparsity - owed / values, align, routed_only=target == "experts")
    return replace(block, attention=attention, ffn=ffn)


def _narrower(
    ffn: FeedForward | ExpertLayer, kept: float, align: int, *, routed_only: bool
) -> FeedForward | ExpertLayer:
    """The sublayer with `kept` of its width: that of its experts, and that of the shared one."""
    if isinstance(ffn, FeedForward):
        return with_width(ffn, min(nearest_multiple(ffn.width * kept, align), ffn.width))
    narrower = with_expert_width(ffn, min(nearest_multiple(ffn.width * kept, align), ffn.width))
    if ffn.shared is None or routed_only:
        return narrower
    width = min(nearest_multiple(ffn.shared.width * kept, align), ffn.shared.width)
    return replace(narrower, shared=with_width(ffn.shared, width))


def _fewer_heads(
    attention: Attention | LatentAttention, sparsity: float, kv_heads: str
) -> Attention | LatentAttention:
    if isinstance(attention, LatentAttention):
        heads = attention.num_heads
        return with_latent_heads(attention, heads - min(round_half_up(sparsity * heads), heads - 1))
    return _fewer_groups(attention, sparsity, kv_heads)


def _fewer_groups(attention: Attention, sparsity: float, kv_heads: str) -> Attention:
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
    sums = list(map(width_sums, found.survivors))
    before, after = sum(dense for dense, _ in sums), sum(pruned for _, pruned in sums)
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
