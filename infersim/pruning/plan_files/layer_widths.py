"""Lists with one width for each layer, as tools of structured pruning write them.

    {"layer_head_num": [21, 8, 0, ...], "layer_inter_size": [3064, 5652, 9139, ...]}

The names are those of rtp-llm's configs of LLM-Pruner's results (github.com/alibaba/rtp-llm, "sparse"
models), of DeciLM (`num_key_value_heads_per_layer`), and of configs whose plain keys hold lists (FLAP and
others). A layer without heads or without width has lost that sublayer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from infersim.domain.errors import FileContentError
from infersim.pruning.families.static_m import without
from infersim.pruning.families.static_nk import with_heads, with_width
from infersim.pruning.linears import refuse_experts, refuse_latent
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import needed_model, plan_of_blocks, pruned_at_all
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer

HEADS = ("layer_head_num", "num_attention_heads", "num_heads", "num_attention_heads_per_layer")
KV_HEADS = ("num_key_value_heads_per_layer", "num_key_value_heads", "num_kv_heads", "layer_head_num_kv")
WIDTHS = ("layer_inter_size", "intermediate_size", "intermediate_sizes", "ffn_width")
LAYERS = ("layer_num", "num_hidden_layers", "num_layers")

KEYS = frozenset((*HEADS, *KV_HEADS, *WIDTHS))
"""A file in which one of these is a list is of this kind."""


def has_width_lists(content: Mapping[str, object]) -> bool:
    """Whether any known key holds a list."""
    return any(isinstance(content.get(key), list) for key in KEYS)


def plan_of_widths(content: Mapping[str, object], file: Path, base: Transformer | None) -> Plan:
    """The plan whose layers have the heads and widths that the file lists; FileContentError for others."""
    model = needed_model(file, base)
    count = len(model.blocks)
    _check_keys(content, count, file)
    heads, kv_heads, widths = (_listed(content, names, count, file) for names in (HEADS, KV_HEADS, WIDTHS))
    blocks = []
    for layer, block in enumerate(model.blocks):
        if heads is not None or kv_heads is not None:
            block = _with_heads(block, heads, kv_heads, layer, file)
        if widths is not None:
            block = _with_width(block, widths, layer, file)
        blocks.append(block)
    key = next(values.key for values in (heads, kv_heads, widths) if values is not None)
    return pruned_at_all(plan_of_blocks(model, blocks, file=file, key=key, name=file.stem), file, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One list of the file, under its key."""

    key: str
    values: list[int]


def _check_keys(content: Mapping[str, object], count: int, file: Path) -> None:
    for key, value in content.items():
        if key in LAYERS and value != count:
            raise FileContentError(file, key, value, f"{count}, the layers of the dense model")
        if key not in KEYS and key not in LAYERS:
            known = ", ".join((*HEADS, *KV_HEADS, *WIDTHS, *LAYERS))
            raise FileContentError(file, key, value, f"one of the keys {known}")


def _listed(content: Mapping[str, object], names: tuple[str, ...], count: int, file: Path) -> _Listed | None:
    said = [name for name in names if content.get(name) is not None]
    if not said:
        return None
    if len(said) > 1:
        raise FileContentError(file, said[1], content[said[1]], f"one key for it, as {said[0]} is there")
    key, value = said[0], content[said[0]]
    values = value if isinstance(value, list) else [value] * count
    if len(values) != count:
        raise FileContentError(file, key, f"{len(values)} entries", f"{count}, one for each layer")
    checked: list[int] = []
    for layer, entry in enumerate(values):
        if isinstance(entry, bool) or not isinstance(entry, int) or entry < 0:
            raise FileContentError(file, f"{key}[{layer}]", entry, "an integer of at least 0")
        checked.append(entry)
    return _Listed(key=key, values=checked)


def _with_heads(
    block: Block, heads: _Listed | None, kv_heads: _Listed | None, layer: int, file: Path
) -> Block:
    """The layer with its heads; query heads that are listed alone go in whole groups."""
    attention = block.attention
    refuse_latent(block, f"{file}: a list of heads")
    if not isinstance(attention, Attention):
        return block
    group = attention.num_heads // attention.num_kv_heads
    kept = attention.num_heads if heads is None else heads.values[layer]
    left = kv_heads.values[layer] if kv_heads is not None else -(-kept // group)
    told = heads or kv_heads
    key = f"{'heads' if told is None else told.key}[{layer}]"
    if kept == 0 or left == 0:
        return without(block, attention=True, ffn=False)
    if kv_heads is None and kept % group:
        expected = f"a multiple of {group} (query heads of a KV head), or a list of KV heads beside it"
        raise FileContentError(file, key, kept, expected)
    if kept > attention.num_heads or left > attention.num_kv_heads or kept % left:
        dense = f"{attention.num_heads} and {attention.num_kv_heads}"
        expected = f"heads and KV heads of at most {dense}, the first a multiple of the second"
        raise FileContentError(file, key, f"{kept} and {left}", expected)
    return replace(block, attention=with_heads(attention, kept, left))


def _with_width(block: Block, widths: _Listed, layer: int, file: Path) -> Block:
    ffn, width = block.ffn, widths.values[layer]
    refuse_experts(block, f"{file}: {widths.key}")
    if not isinstance(ffn, FeedForward):
        return block
    if width > ffn.width:
        raise FileContentError(file, f"{widths.key}[{layer}]", width, f"at most {ffn.width}, the dense width")
    if width == 0:
        return without(block, attention=False, ffn=True)
    return replace(block, ffn=with_width(ffn, width))
