"""Experts layer by layer, as tools of expert pruning write them.

    {"per_layer_num_experts": [359, 279, ...], "num_experts_per_tok": 10, "original_num_experts": 512}
    {"removed_experts": {"0": [3, "8-15"], "1": [0]}}

The first is what RCO writes beside its checkpoints (`pruned_metadata.json`, huggingface.co/ISTA-DASLab), with
counts that differ by layer; the second names experts by their numbers in the dense model, the removed ones
or, under `kept_experts`, those that stay. Layers without experts have 0 or null in a list, and no entry in a
table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.pruning.families.dynamic_e import with_top_k
from infersim.pruning.families.static_e import with_experts
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import needed_model, plan_of_blocks, pruned_at_all
from infersim.pruning.plan_files.expert_detail import left_of
from infersim.pruning.plan_files.layer_numbers import layers_in, spelt_out
from infersim.workload.transformer import Block, ExpertLayer, Transformer

COUNTS = (
    "per_layer_num_experts", "num_experts_per_layer", "n_routed_experts_per_layer", "num_experts",
    "num_local_experts", "n_routed_experts",
)  # fmt: skip
TOP_K = ("num_experts_per_tok", "num_experts_per_tok_per_layer", "experts_per_token", "top_k")
REMOVED = ("removed_experts", "pruned_experts", "experts_to_prune")
KEPT = ("kept_experts", "retained_experts")

KEYS = frozenset((*COUNTS, *TOP_K, *REMOVED, *KEPT))
_ORIGINAL = "original_num_experts"
_LAYERS = ("num_hidden_layers", "num_layers", "layer_num")
_TOTAL, _SPARSITY = "total_pruned", "sparsity"
_HARMLESS = ("base_model", "prune_mask", "allocation", "method")


def has_expert_lists(content: Mapping[str, object]) -> bool:
    """Whether a known key lists experts, or counts of them."""
    return any(isinstance(content.get(key), list | Mapping) for key in KEYS)


def plan_of_experts(content: Mapping[str, object], file: Path, base: Transformer | None) -> Plan:
    """The plan whose layers keep the experts that the file says; FileContentError for others."""
    model = needed_model(file, base)
    key = _check_keys(content, model, file)
    blocks = list(model.blocks)
    counts, top_k = (_listed(content, names, model, file) for names in (COUNTS, TOP_K))
    for place, block in enumerate(model.blocks):
        layer = block.ffn
        if isinstance(layer, ExpertLayer):
            kept = None if counts is None else counts[place]
            run = None if top_k is None else top_k[place]
            blocks[place] = replace(block, ffn=_left(layer, kept, run, f"{key}[{place}]", file))
    for name in (*REMOVED, *KEPT):
        if name in content:
            _by_number(blocks, content[name], name, file)
    _check_total(content, model, blocks, file)
    return pruned_at_all(plan_of_blocks(model, blocks, file=file, key=key, name=file.stem), file, key)


def _check_keys(content: Mapping[str, object], model: Transformer, file: Path) -> str:
    """The key that lists experts; FileContentError for a key of no known meaning, or of another model."""
    experts = {block.ffn.num_experts for block in model.blocks if isinstance(block.ffn, ExpertLayer)}
    known = (*COUNTS, *TOP_K, *REMOVED, *KEPT, *_LAYERS, _ORIGINAL, _TOTAL, _SPARSITY, *_HARMLESS)
    for key, value in content.items():
        if key not in known:
            raise FileContentError(file, key, value, f"one of the keys {', '.join(known)}")
        if key in _LAYERS and value != len(model.blocks):
            raise FileContentError(file, key, value, f"{len(model.blocks)}, the layers of the dense model")
        if key == _ORIGINAL and value not in sorted(experts):
            listed = ", ".join(map(str, sorted(experts))) or "none: it has no layers of experts"
            raise FileContentError(file, key, value, f"the experts of the dense model ({listed})")
    said = [key for key in (*COUNTS, *REMOVED, *KEPT) if key in content]
    if len(said) > 1:
        raise FileContentError(file, said[1], content[said[1]], f"one key for it, as {said[0]} is there")
    if not experts:
        key = said[0] if said else next(key for key in TOP_K if key in content)
        raise FileContentError(file, key, content[key], f"a model with experts: {model.name} has none")
    return said[0] if said else next(key for key in TOP_K if key in content)


def _listed(
    content: Mapping[str, object], names: Sequence[str], model: Transformer, file: Path
) -> list[int | None] | None:
    """A number for each layer (None: nothing is said of it) under one of `names`; one number is for all."""
    said = [name for name in names if content.get(name) is not None]
    if not said:
        return None
    if len(said) > 1:
        raise FileContentError(file, said[1], content[said[1]], f"one key for it, as {said[0]} is there")
    key, value, layers = said[0], content[said[0]], len(model.blocks)
    values = value if isinstance(value, list) else [value] * layers
    if len(values) != layers:
        raise FileContentError(file, key, f"{len(values)} entries", f"{layers}, one for each layer")
    found: list[int | None] = []
    for place, (entry, block) in enumerate(zip(values, model.blocks, strict=True)):
        dense = not isinstance(block.ffn, ExpertLayer)
        if dense and (entry in (None, 0) or not isinstance(value, list)):
            found.append(None)
        elif dense or isinstance(entry, bool) or not isinstance(entry, int) or entry < 1:
            expected = "0 or null: the layer has no experts" if dense else "an integer of at least 1"
            raise FileContentError(file, f"{key}[{place}]", entry, expected)
        else:
            found.append(entry)
    return found


def _left(layer: ExpertLayer, kept: int | None, run: int | None, key: str, file: Path) -> ExpertLayer:
    kept, run = layer.num_experts if kept is None else kept, layer.top_k if run is None else run
    if kept > layer.num_experts:
        raise FileContentError(file, key, kept, f"at most {layer.num_experts}, the dense layer's experts")
    if run > layer.top_k:
        raise FileContentError(file, key, run, f"at most {layer.top_k}, what a token runs in the dense layer")
    if run > kept:
        raise FileContentError(file, key, kept, f"at least {run} experts, which a token runs")
    return with_top_k(with_experts(layer, kept), run)


def _by_number(blocks: list[Block], tables: object, key: str, file: Path) -> None:
    """Experts by their numbers, of the layers that a table (or a list with one for each layer) names."""
    entries = dict(enumerate(tables)) if isinstance(tables, list) else tables
    if not isinstance(entries, Mapping):
        raise FileContentError(file, key, tables, "a table of layers, each with a list of experts")
    seen: set[int] = set()
    for name, listed in entries.items():
        place, layers = f"{key}.{name}", layers_in(str(name), len(blocks))
        if layers is None:
            raise FileContentError(file, place, name, f"a layer from 0 to {len(blocks) - 1}, or a range")
        if seen.intersection(layers):
            raise FileContentError(file, place, name, "each layer once")
        seen.update(layers)
        for number in layers:
            layer = blocks[number].ffn
            if not isinstance(layer, ExpertLayer):
                if listed in ([], None):
                    continue
                raise FileContentError(file, place, listed, f"nothing: layer {number} has no experts")
            try:
                rest = left_of(layer, _numbers(listed, place, file), place)
            except InvalidValueError as error:
                raise FileContentError(file, error.key, error.value, error.expected) from None
            kept = layer.num_experts - rest if key in KEPT else rest
            blocks[number] = replace(blocks[number], ffn=_left(layer, kept, None, place, file))


def _numbers(listed: object, key: str, file: Path) -> list[int]:
    entries = spelt_out(listed) if isinstance(listed, list) else [listed]
    found: list[int] = []
    for position, entry in enumerate(entries):
        if isinstance(entry, bool) or not isinstance(entry, int) or entry < 0:
            raise FileContentError(file, f"{key}[{position}]", entry, "an expert such as 22, or '22-28'")
        found.append(entry)
    return found


def _check_total(content: Mapping[str, object], model: Transformer, blocks: list[Block], file: Path) -> None:
    """What the file says of all layers together must be what its lists amount to."""
    before, after = (
        sum(block.ffn.num_experts for block in each if isinstance(block.ffn, ExpertLayer))
        for each in (model.blocks, blocks)
    )
    if content.get(_TOTAL, before - after) != before - after:
        raise FileContentError(file, _TOTAL, content[_TOTAL], f"{before - after}, as the lists have it")
    stated = content.get(_SPARSITY)
    if stated is None:
        return
    if not isinstance(stated, int | float) or abs(stated - (1 - after / before)) > 0.01:
        expected = f"{1 - after / before:.4f}, as the lists have it"
        raise FileContentError(file, _SPARSITY, stated, expected)
