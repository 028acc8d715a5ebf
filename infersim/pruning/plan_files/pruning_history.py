"""torch-pruning's pruning history as a plan: which channels of which matrix went, in order.

    [["model.layers.3.mlp.gate_proj", true, [0, 5, 17]], ["model.layers.3.self_attn.k_proj", true, [0, ...]]]

Entries are those of `DependencyGraph.pruning_history()` of torch-pruning 1.x: the root module's name,
whether output channels went (else input channels), and their indices at that time. What depends on the root
follows by itself. Heads count whole: their channels go together. A hidden size that shrank touches every
layer and is no history of single layers: it is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.pruning.families.static_m import without
from infersim.pruning.families.static_nk import with_heads, with_width
from infersim.pruning.linears import refuse_experts, refuse_latent
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import needed_model, plan_of_blocks, pruned_at_all
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer

_MATRIX = re.compile(r"(?:.*\.)?layers\.(\d{1,6})\.(?:self_attn|mlp)\.(\w+)", re.ASCII)

_CUTS = {
    ("q_proj", True): "heads",
    ("o_proj", False): "heads",
    ("k_proj", True): "kv_heads",
    ("v_proj", True): "kv_heads",
    ("gate_proj", True): "width",
    ("up_proj", True): "width",
    ("down_proj", False): "width",
}
"""(root matrix, output channels) -> what of the layer shrinks; its other matrices follow the root."""


def is_history(content: Sequence[object]) -> bool:
    """Whether every entry is [name, true or false, indices]."""
    return bool(content) and all(
        isinstance(entry, list)
        and len(entry) == 3
        and isinstance(entry[0], str)
        and isinstance(entry[1], bool)
        and isinstance(entry[2], list)
        for entry in content
    )


def plan_of_history(content: Sequence[list[object]], file: Path, base: Transformer | None) -> Plan:
    """The plan that removes the channels of the history; errors name the entry."""
    model = needed_model(file, base)
    gone: dict[int, Counter[str]] = {}
    for index, (name, output, indices) in enumerate(content):
        key = f"entry {index}"
        match = _MATRIX.fullmatch(str(name))
        cut = None if match is None else _CUTS.get((match[2], bool(output)))
        if match is None or cut is None:
            side = "output" if output else "input"
            raise UnsupportedError(
                f"{file}: {key}: {side} channels of {name} reach beyond one layer's widths"
            )
        layer = int(match[1])
        if layer >= len(model.blocks):
            expected = f"a layer from 0 to {len(model.blocks) - 1}"
            raise FileContentError(file, key, str(name), expected)
        gone.setdefault(layer, Counter())[cut] += _count(indices, f"{key}: indices", file)
    blocks = [
        _narrowed(block, gone[layer], f"layer {layer}", file) if layer in gone else block
        for layer, block in enumerate(model.blocks)
    ]
    plan = plan_of_blocks(model, blocks, file=file, key="entries", name=file.stem)
    return pruned_at_all(plan, file, "entries")


def _count(indices: object, key: str, file: Path) -> int:
    entries = indices if isinstance(indices, list) else []
    wrong = [entry for entry in entries if isinstance(entry, bool) or not isinstance(entry, int) or entry < 0]
    if wrong:
        raise FileContentError(file, key, wrong[0], "integers of at least 0")
    if len(set(entries)) < len(entries):
        raise FileContentError(file, key, "a repeated index", "each index once")
    return len(entries)


def _narrowed(block: Block, gone: Counter[str], key: str, file: Path) -> Block:
    if gone["width"]:
        refuse_experts(block, f"{file}: {key} of FFN channels")
    if gone["heads"] or gone["kv_heads"]:
        refuse_latent(block, f"{file}: {key} of heads")
    if gone["width"] and isinstance(block.ffn, FeedForward):
        ffn = block.ffn
        width = _left(ffn.width, gone["width"], f"{key}: FFN channels", file)
        narrower = replace(block, ffn=with_width(ffn, width)) if width else None
        block = narrower or without(block, attention=False, ffn=True)
    if (gone["heads"] or gone["kv_heads"]) and isinstance(block.attention, Attention):
        block = _fewer_heads(block, block.attention, gone, key, file)
    return block


def _fewer_heads(block: Block, dense: Attention, gone: Counter[str], key: str, file: Path) -> Block:
    """Query heads follow KV heads in whole groups where the history says nothing of them."""
    group = dense.num_heads // dense.num_kv_heads
    kv_channels = gone["kv_heads"]
    if group == 1 and not kv_channels:
        kv_channels = gone["heads"]
    if kv_channels % dense.head_dim or gone["heads"] % dense.head_dim:
        told = f"{gone['heads'] or kv_channels} channels"
        raise FileContentError(file, f"{key}: heads", told, f"multiples of the head size, {dense.head_dim}")
    kv_heads = _left(dense.num_kv_heads, kv_channels // dense.head_dim, f"{key}: KV heads", file)
    lost = gone["heads"] // dense.head_dim or (dense.num_kv_heads - kv_heads) * group
    heads = _left(dense.num_heads, lost, f"{key}: heads", file)
    if heads == 0 or kv_heads == 0:
        return without(block, attention=True, ffn=False)
    if heads % kv_heads:
        raise FileContentError(file, f"{key}: heads", heads, f"a multiple of the {kv_heads} KV heads left")
    return replace(block, attention=with_heads(dense, heads, kv_heads))


def _left(there: int, gone: int, key: str, file: Path) -> int:
    if gone > there:
        raise FileContentError(file, key, f"{gone} removed", f"at most {there}, what the layer has")
    return there - gone
