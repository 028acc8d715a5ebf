"""Plans from files: our own, in TOML, with detail layer by layer, and those of other programs (`others`).

    model = "llama-3.1-8b"                 # the dense model; may be left out where the caller gives one

    [remove]                               # layers are numbered from 0, as in the dense model
    layers = [25, "28-30"]
    attention = [20]

    [layer."8-15"]                         # a layer or a range; later tables override earlier ones
    num_heads = 16
    num_kv_heads = 4
    ffn_width = 7168
    skip = { attention = 0.5, ffn = 0.25 }

    [layer.3]
    rank = { q = 512, gate = 1024 }
    sparse_2_4 = ["down"]
    linear = { attention = 0 }           # one linear layer in its place; above 0 the rank of two factors
    format = { ffn = "fp8" }             # how its matrices are stored and multiplied
    block_sparsity = { kept = 0.4 }
    kv_kept = 0.5

    [[step]]                               # then families over the whole model, in order
    family = "static-nk"
    sparsity = 0.25
    kv_heads = "keep"                      # an option of the family

Detail comes first, whatever its place in the file, then the steps. Imports pydantic: import it where needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from infersim.domain.errors import FileContentError
from infersim.files.errors import located
from infersim.files.reading import tables_from_file
from infersim.pruning.composition import prune
from infersim.pruning.families.static_m import without
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import dense_model, plan_of_blocks
from infersim.pruning.plan_files.layer_detail import detailed
from infersim.pruning.plan_files.layer_numbers import layers_in
from infersim.pruning.plan_files.others import reader_of
from infersim.pruning.plan_files.tables import NESTED, PlanTables
from infersim.workload.transformer import Block, Transformer


def plan_from_file(
    path: str | Path, base: Transformer | None = None, *, sparsity: float | None = None
) -> Plan:
    """Read a plan for `base`, or for the model that the file names.

    A file that ends in .yaml, .json or .txt is one of another program; `sparsity` is what such a file leaves
    to the command line. Raises FileContentError (file, key, value, expectation), UnsupportedError where
    families do not compose or the file is no pruning, and InvalidValueError where there is no such file.
    """
    file = Path(path)
    other = reader_of(file)
    if other is not None:
        return other(file, base, sparsity)
    tables = tables_from_file(file, "plan", PlanTables, NESTED)
    plan = _with_detail(tables, file, dense_model(tables.model, file, base))
    for index, step in enumerate(tables.step):
        with located(file, f"step[{index}]"):
            plan = prune(plan, step.family, step.sparsity, **(step.model_extra or {}))
    if not plan.steps and plan.transformer == plan.base:
        raise FileContentError(file, "step", [], "something to prune: step, layer or remove")
    return plan


def _with_detail(tables: PlanTables, file: Path, model: Transformer) -> Plan:
    blocks = list(model.blocks)
    for key, table in tables.layer.items():
        for layer in _layers(key, len(blocks), file):
            with located(file, f"layer.{key}"):
                blocks[layer] = detailed(blocks[layer], table)
    blocks = _without_removed(blocks, tables, file)
    return plan_of_blocks(model, blocks, file=file, key="remove.layers", name=tables.name or file.stem)


def _layers(key: str, count: int, file: Path) -> range:
    """The layers that a key such as `3` or `8-15` names."""
    layers = layers_in(key, count)
    if layers is None:
        raise FileContentError(file, "layer", key, f"a layer from 0 to {count - 1}, or a range such as 0-1")
    return layers


def _without_removed(blocks: list[Block], tables: PlanTables, file: Path) -> list[Block]:
    remove = tables.remove
    layers, attention, ffn = (
        set(_numbers(key, numbers, len(blocks), file))
        for key, numbers in (("layers", remove.layers), ("attention", remove.attention), ("ffn", remove.ffn))
    )
    for key in tables.layer:
        named = _layers(key, len(blocks), file)
        if layers.issuperset(named):
            raise FileContentError(
                file, f"layer.{key}", "a table", "no table of layers that [remove] takes away"
            )
    return [
        without(block, attention=index in layers | attention, ffn=index in layers | ffn)
        for index, block in enumerate(blocks)
    ]


def _numbers(key: str, numbers: list[int], count: int, file: Path) -> Iterator[int]:
    for position, number in enumerate(numbers):
        if number >= count or number in numbers[:position]:
            expected = f"a layer from 0 to {count - 1}" if number >= count else "each layer once"
            raise FileContentError(file, f"remove.{key}[{position}]", number, expected)
        yield number
