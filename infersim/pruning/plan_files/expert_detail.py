"""The effect of a plan file's `[layer.N]` table on a layer of experts: how many stay, which go, how wide.

A value that this layer cannot have raises InvalidValueError with the key inside the table.
"""

from __future__ import annotations

from dataclasses import replace

from infersim.domain.errors import InvalidValueError
from infersim.pruning.families.dynamic_e import with_top_k
from infersim.pruning.families.static_e import with_experts
from infersim.pruning.families.static_nk import with_expert_width
from infersim.pruning.plan_files.tables import LayerTable
from infersim.workload.transformer import Block, ExpertLayer

KEYS = ("num_experts", "remove_experts", "top_k", "expert_width")


def with_expert_detail(block: Block, table: LayerTable) -> Block:
    """The block as the table wants its experts: their number, then a token's, then their width."""
    said = {key: value for key in KEYS if (value := getattr(table, key)) not in (None, [])}
    if not said:
        return block
    layer = block.ffn
    if not isinstance(layer, ExpertLayer):
        key, value = next(iter(said.items()))
        raise InvalidValueError(key, value, "no such key: the layer has no experts")
    if "num_experts" in said or "remove_experts" in said:
        layer = _fewer(layer, table)
    if table.top_k is not None:
        _check_at_most("top_k", table.top_k, min(layer.top_k, layer.num_experts))
        layer = with_top_k(layer, table.top_k)
    if table.expert_width is not None:
        _check_at_most("expert_width", table.expert_width, layer.width)
        layer = with_expert_width(layer, table.expert_width)
    return replace(block, ffn=layer)


def _fewer(layer: ExpertLayer, table: LayerTable) -> ExpertLayer:
    key, value, kept = "num_experts", table.num_experts, table.num_experts or 0
    if table.remove_experts:
        if value is not None:
            raise InvalidValueError("num_experts", value, "no such key beside remove_experts")
        key, kept = "remove_experts", left_of(layer, table.remove_experts, "remove_experts")
    _check_at_most(key, kept, layer.num_experts)
    needed = layer.top_k if table.top_k is None else table.top_k
    if kept < needed:
        told = kept if key == "num_experts" else f"{kept} experts left"
        expected = f"at least {needed}, which a token runs, or a smaller top_k beside it"
        raise InvalidValueError(key, told, expected)
    return with_experts(layer, kept)


def left_of(layer: ExpertLayer, removed: list[int], key: str) -> int:
    """How many experts stay; InvalidValueError for one that the layer lacks, or that is named twice."""
    seen: set[int] = set()
    for position, expert in enumerate(removed):
        if expert >= layer.num_experts:
            expected = f"an expert from 0 to {layer.num_experts - 1}"
            raise InvalidValueError(f"{key}[{position}]", expert, expected)
        if expert in seen:
            raise InvalidValueError(f"{key}[{position}]", expert, "each expert once")
        seen.add(expert)
    return layer.num_experts - len(seen)


def _check_at_most(key: str, value: int, limit: int) -> None:
    if value > limit:
        raise InvalidValueError(key, value, f"at most {limit}, what the layer has")
