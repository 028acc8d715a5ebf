"""A really pruned checkpoint as a plan: its weight files or config beside the dense model it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from infersim.domain.errors import UnsupportedError
from infersim.domain.shapes import WeightForm
from infersim.pruning.plan import Plan
from infersim.pruning.recognition import recognise
from infersim.pruning.sublayer_pairs import sublayer_pairs
from infersim.workload.formats import densified
from infersim.workload.presets import load_model
from infersim.workload.transformer import Attention, Block, ExpertLayer, FeedForward, Transformer

REMOVED = Block(attention=None, ffn=None)
"""What a removed layer is compared as."""


def plan_from_config(base: Transformer, pruned: Transformer | str | Path) -> Plan:
    """Compare a pruned model (or its preset, folder, weight file or config) with the dense `base`.

    The steps are the families found, with their realised sparsities; nobody asked for any. Raises
    UnsupportedError where `pruned` cannot have come from `base` by pruning.
    """
    transformer = pruned if isinstance(pruned, Transformer) else load_model(pruned)
    blocks = _aligned(base, transformer)
    reason = next(_reasons_against(base, transformer, blocks), None)
    if reason is not None:
        raise UnsupportedError(f"{transformer.name} is not a pruned {base.name}: {reason}")
    found = recognise(base, transformer, blocks)
    return Plan(
        base=base,
        transformer=transformer,
        steps=found.steps,
        targets=found.targets,
        name=transformer.name,
    )


def plan_of_sparse(transformer: Transformer) -> Plan | None:
    """A checkpoint that states 2:4 matrices as a plan of its dense model in the same formats, else None."""
    linears = (linear for block in transformer.blocks for linear in block.linears)
    if not transformer.stated or all(linear.form is WeightForm.DENSE for linear in linears):
        return None
    base = densified(transformer)
    found = recognise(base, transformer, _aligned(base, transformer))
    return Plan(base=base, transformer=transformer, steps=found.steps, targets=found.targets)


def _aligned(base: Transformer, pruned: Transformer) -> list[tuple[Block, Block]]:
    """Layers side by side, by their numbers where a checkpoint has gaps.

    Else the last ones are taken to be gone: of equal dense layers it is immaterial which.
    """
    numbers = _numbers(base, pruned)
    if numbers is None:
        return list(zip_longest(base.blocks, pruned.blocks, fillvalue=REMOVED))
    left = dict(zip(numbers, pruned.blocks, strict=True))
    return [(block, left.get(number, REMOVED)) for number, block in enumerate(base.blocks)]


def _numbers(base: Transformer, pruned: Transformer) -> tuple[int, ...] | None:
    """The numbers of the layers that are left, where they can be those of the dense model."""
    numbers = pruned.layer_numbers
    return None if numbers is None or max(numbers) >= len(base.blocks) else numbers


def _shapes(block: Block) -> Block:
    """The block without what changes no matrix: its window and its rotary positions."""
    if not isinstance(block.attention, Attention):
        return block
    return replace(block, attention=replace(block.attention, window=None, rotary=1.0))


def _known_which(base: Transformer, pruned: Transformer) -> bool:
    """Whether it is known, or immaterial, which layers are gone.

    Dense ones may all be equal. Or they are of several kinds, equal within a kind (a dense FFN first, experts
    in all others), and what is left begins like the dense model, so that layers of the last kind are gone.
    """
    shapes = set(map(_shapes, base.blocks))
    if len(shapes) <= 1:
        return True
    one, other = (list(map(_kind, each.blocks)) for each in (base, pruned))
    tail = one[len(other) :]
    return len(shapes) == len(set(one)) and set(tail) == {one[-1]} and other == one[: len(other)]


def _kind(block: Block) -> tuple[type, type]:
    return type(block.attention), type(block.ffn)


def _reasons_against(
    base: Transformer, pruned: Transformer, blocks: Sequence[tuple[Block, Block]]
) -> Iterator[str]:
    """Why one model cannot have become the other by pruning, if there are reasons."""
    if pruned.hidden > base.hidden:
        yield f"its hidden size is {pruned.hidden}, above {base.hidden}"
    if len(pruned.blocks) > len(base.blocks):
        yield f"it has {len(pruned.blocks)} layers, more than {len(base.blocks)}"
    gone = len(base.blocks) - len(pruned.blocks)
    if gone > 0 and _numbers(base, pruned) is None and not _known_which(base, pruned):
        yield f"{gone} layers are gone, and the dense ones are not all equal"
    for layer, (dense, left) in enumerate(blocks):
        yield from _experts_against(layer, dense, left)
        for pair in sublayer_pairs([(dense, left)]):
            if pair.survives and pair.kind_differs:
                yield f"layer {layer} has an FFN of another kind"
            elif pair.survives and any(map(int.__gt__, pair.pruned_widths, pair.dense_widths)):
                yield f"layer {layer} has widths {pair.pruned_widths}, above {pair.dense_widths}"
        if (dense.attention is None and left.attention) or (dense.ffn is None and left.ffn):
            yield f"layer {layer} has a sublayer that the dense one lacks"


def _experts_against(layer: int, dense: Block, left: Block) -> Iterator[str]:
    """Why a layer's FFN cannot have become the other's, where either has experts."""
    one, other = dense.ffn, left.ffn
    if isinstance(one, ExpertLayer) and isinstance(other, ExpertLayer):
        if other.num_experts > one.num_experts:
            yield f"layer {layer} has {other.num_experts} experts, more than {one.num_experts}"
        if other.top_k > one.top_k:
            yield f"a token runs {other.top_k} experts of layer {layer}, more than {one.top_k}"
    elif isinstance(one, ExpertLayer) and isinstance(other, FeedForward):
        yield f"layer {layer} has a dense FFN in the place of experts"
    elif isinstance(one, FeedForward) and isinstance(other, ExpertLayer):
        yield f"layer {layer} has experts in the place of a dense FFN"
