"""Plans that other programs wrote, in YAML, JSON or text: which program it was, and the plan.

A YAML file is mergekit's or PruningInferSim's, by its keys. A JSON file holds `block_configs`, a width or
experts for each layer, torch-pruning's history, or a list of the removed layers, which a text file may hold
as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from infersim.domain.errors import FileContentError
from infersim.files.foreign import read_json, read_text, read_yaml
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files import (
    block_configs,
    expert_lists,
    layer_widths,
    mergekit,
    pruning_infersim_keys,
)
from infersim.pruning.plan_files.assembling import (
    needed_model,
    plan_of_blocks,
    pruned_at_all,
    without_layers,
)
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.pruning.plan_files.layer_numbers import listed_layers
from infersim.pruning.plan_files.pruning_history import is_history, plan_of_history
from infersim.pruning.plan_files.pruning_infersim import plan_of_family_file
from infersim.workload.transformer import Transformer

REMOVED = ("removed_layers", "layers_to_remove", "pruned_layers", "remove_layers", "drop_layers")
"""Keys under which a JSON file lists the layers that are gone."""

MAX_LIST_BYTES = 2**16

Reader = Callable[[Path, Transformer | None, float | None], Plan]


def reader_of(file: Path) -> Reader | None:
    """What reads a file of this ending; None where it is a plan in TOML."""
    return _READERS.get(file.suffix.lower())


def _yaml(file: Path, base: Transformer | None, sparsity: float | None) -> Plan:
    content = read_yaml(file, "plan")
    if not isinstance(content, Mapping):
        raise FileContentError(file, "the file", _kind(content), "keys and values")
    if mergekit.KEYS & content.keys():
        return mergekit.plan_of_merge(content, file, base)
    if pruning_infersim_keys.COMPONENTS.keys() & content.keys():
        return plan_of_family_file(content, file, base, sparsity)
    merges = ", ".join(sorted(mergekit.KEYS))
    families = ", ".join(pruning_infersim_keys.COMPONENTS)
    expected = f"a mergekit merge ({merges}) or a PruningInferSim family ({families})"
    raise FileContentError(file, "the file", _kind(content), expected)


def _json(file: Path, base: Transformer | None, _: float | None) -> Plan:
    content = read_json(file, "plan")
    if isinstance(content, Mapping):
        return _json_table(content, file, base)
    if isinstance(content, list):
        if content and all(isinstance(entry, Mapping) for entry in content):
            return block_configs.plan_of_block_configs(content, file, base)
        if is_history(content):
            return plan_of_history(content, file, base)
    return _without_listed(content, file, "removed layers", base)


def _json_table(content: Mapping[str, object], file: Path, base: Transformer | None) -> Plan:
    if "model_type" in content:  # a whole config, which says more than its lists
        return plan_from_config(needed_model(file, base), file)
    if block_configs.KEY in content:
        entries = content[block_configs.KEY]
        if not isinstance(entries, list):
            raise FileContentError(file, block_configs.KEY, _kind(entries), "a list")
        return block_configs.plan_of_block_configs(entries, file, base)
    if expert_lists.has_expert_lists(content):
        return expert_lists.plan_of_experts(content, file, base)
    if layer_widths.has_width_lists(content):
        return layer_widths.plan_of_widths(content, file, base)
    listed = [key for key in REMOVED if key in content]
    if len(listed) == 1 and len(content) == 1:
        return _without_listed(content[listed[0]], file, listed[0], base)
    experts = (expert_lists.COUNTS[0], expert_lists.REMOVED[0], expert_lists.KEPT[0])
    widths = (layer_widths.HEADS[0], layer_widths.WIDTHS[0])
    lists = ", ".join((block_configs.KEY, *widths, *experts, *REMOVED))
    raise FileContentError(file, "the file", _kind(content), f"a plan under one of {lists}")


def _text(file: Path, base: Transformer | None, _: float | None) -> Plan:
    lines = read_text(file, "plan", MAX_LIST_BYTES).splitlines()
    words = [word for line in lines for word in line.partition("#")[0].replace(",", " ").split()]
    return _without_listed(list(words), file, "removed layers", base)


def _without_listed(value: object, file: Path, key: str, base: Transformer | None) -> Plan:
    model = needed_model(file, base)
    removed = listed_layers(value, len(model.blocks), file, key)
    plan = plan_of_blocks(model, without_layers(model, removed), file=file, key=key, name=file.stem)
    return pruned_at_all(plan, file, key)


def _kind(content: object) -> str:
    """What a file holds, in a word or a few keys."""
    if isinstance(content, Mapping):
        shown = [str(key)[:30] for key in list(content)[:8]]
        return f"a table of {', '.join(shown)}" if shown else "an empty table"
    return "nothing" if content is None else f"a {type(content).__name__}"


_READERS: Mapping[str, Reader] = {".yaml": _yaml, ".yml": _yaml, ".json": _json, ".txt": _text}
