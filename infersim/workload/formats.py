"""What a checkpoint states of the formats of a model's matrices, on the model and against --dtype."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from infersim.domain.dtypes import PRECISIONS
from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import WeightForm
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.transformer import (
    AttentionSublayer,
    Block,
    FfnSublayer,
    Linear,
    ReplacedSublayer,
    Transformer,
)
from infersim.workload.weight_format import WeightFormat

OF_EXPERT = "expert_"
"""Begins the names of routed experts' matrices."""

MIXED = "mixed"
"""Stands for the name of several formats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMatrix:
    """What is stated of one matrix: its format (None: 16 bit, not quantised), and whether it is 2:4."""

    format: WeightFormat | None = None
    sparse_2_4: bool = False


PLAIN = StoredMatrix()

StoredOf = Callable[[int, str], StoredMatrix]
"""From the number of a layer in the checkpoint and a matrix (q, k, v, o, gate, up, down; q_a, q_b, kv_a, kv_b
of latent attention; router, expert_up, shared_up... of layers of experts; attention_linear and ffn_linear of
replaced sublayers) to what is stated of it."""


def with_stored_matrices(
    transformer: Transformer, stored: StoredOf, layers: Sequence[int] | None = None
) -> Transformer:
    """The model with its block matrices as they are stored; `layers` number its blocks in the checkpoint.

    Raises InvalidValueError for a 2:4 matrix whose K does not divide into groups of four.
    """
    numbers = range(len(transformer.blocks)) if layers is None else layers
    made: dict[tuple[Block, tuple[StoredMatrix, ...]], Block] = {}
    blocks = []
    for number, block in zip(numbers, transformer.blocks, strict=True):
        of_block = {name: stored(number, name) for name, _ in named_matrices(block)}
        key = (block, tuple(of_block.values()))
        if key not in made:
            made[key] = _stored_block(block, of_block)
        blocks.append(made[key])
    return transformer.with_blocks(tuple(blocks))


def named_matrices(block: Block) -> Iterator[tuple[str, Linear]]:
    """The weight matrices of a block's sublayers by name."""
    for place, sublayer in (("attention", block.attention), ("ffn", block.ffn)):
        if sublayer is not None:
            for name, linear in sublayer.matrices.items():
                yield _in_block(place, sublayer, name), linear


def block_formats(transformer: Transformer, *, experts: bool | None = None) -> tuple[WeightFormat, ...]:
    """The formats of block matrices that are stated, each once, in order of first occurrence.

    `experts`: those of routed experts alone, or of all others alone; their kernels are of different kinds.
    """
    found = (
        linear.format
        for block, _ in transformer.grouped_blocks()
        for name, linear in named_matrices(block)
        if experts in (None, name.startswith(OF_EXPERT))
    )
    return tuple(dict.fromkeys(each for each in found if each is not None))


def dtype_name(transformer: Transformer, execution: Execution) -> str:
    """The format of the block matrices: what the checkpoint states, else the execution's precision."""
    names = {stored.name for stored in block_formats(transformer)}
    if not names:
        return execution.precision.name
    return names.pop() if len(names) == 1 else MIXED


def as_stored(execution: Execution, transformer: Transformer) -> Execution:
    """The execution with what the checkpoint states; what it does not quantise is bf16.

    Raises InvalidValueError where somebody asked for another format.
    """
    formats = block_formats(transformer)
    if formats:
        names = tuple(dict.fromkeys(stored.name for stored in formats))
        asked = execution.precision.name
        if execution.explicit and names != (asked,):
            raise InvalidValueError("dtype", asked, f"{' and '.join(names)}, as {transformer.name} states")
        execution = replace(execution, precision=PRECISIONS["bf16"], explicit=False)
    cache = transformer.kv_dtype
    if cache is None:
        return execution
    if execution.kv_dtype not in (None, cache):
        raise InvalidValueError(
            "kv_dtype", execution.kv_dtype.value, f"{cache}, as {transformer.name} states"
        )
    return replace(execution, kv_dtype=cache)


def scenario_as_stored(scenario: Scenario, transformer: Transformer) -> Scenario:
    """The scenario with what the checkpoint states; errors as in `as_stored`."""
    execution = as_stored(scenario.execution, transformer)
    return scenario if execution is scenario.execution else replace(scenario, execution=execution)


def densified(transformer: Transformer) -> Transformer:
    """The model with its 2:4 matrices dense, in their formats."""
    return transformer.with_blocks(
        tuple(
            _changed(block, lambda _, linear: replace(linear, form=WeightForm.DENSE))
            for block in transformer.blocks
        )
    )


def stored_text(transformer: Transformer) -> str:
    """One line on what a checkpoint states: formats, sparsity, what is kept in 16 bit; empty: nothing."""
    matrices = [
        (name, linear, times * copies)
        for block, times in transformer.grouped_blocks()
        for (name, linear), (_, copies) in zip(named_matrices(block), block.weights(), strict=True)
    ]
    total = sum(times for *_, times in matrices)
    counted: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for name, linear, times in matrices:
        if linear.format is not None:
            counted[f"{linear.format.name} ({linear.format.label})"] += times
        else:
            kept[name] += times
    sparse = sum(times for _, linear, times in matrices if linear.form is WeightForm.SPARSE_2_4)
    head = None if transformer.head is None else transformer.head.format
    said = [f"{name} in {_share(times, total)}" for name, times in counted.items()]
    if sparse:
        said.append(f"2:4 in {_share(sparse, total)}")
    if head is not None:
        said.append(f"LM head {head.name} ({head.label})")
    if transformer.kv_dtype is not None:
        said.append(f"KV cache {transformer.kv_dtype}")
    if counted:
        said.append(f"kept in 16 bit: {', '.join(_kept(kept, head is None))}")
    return f"stored as {', '.join(said)}" if said else ""


def _share(times: int, total: int) -> str:
    return "all block matrices" if times == total else f"{times} of {total} block matrices"


def _kept(kept: Counter[str], head: bool) -> Iterator[str]:
    yield from (f"{name} ({times})" for name, times in kept.items())
    yield "embedding"
    if head:
        yield "head"


def _stored_block(block: Block, stored: dict[str, StoredMatrix]) -> Block:
    def change(name: str, linear: Linear) -> Linear:
        found = stored[name]
        if not found.sparse_2_4:
            return replace(linear, format=found.format)
        if linear.in_features % 4:
            raise InvalidValueError("in_features", linear.in_features, "a multiple of 4 for a 2:4 matrix")
        return replace(linear, format=found.format, form=WeightForm.SPARSE_2_4)

    return _changed(block, change)


def _changed(block: Block, change: Callable[[str, Linear], Linear]) -> Block:
    def new(place: str, sublayer: AttentionSublayer | FfnSublayer) -> Mapping[str, Linear]:
        return {
            name: change(_in_block(place, sublayer, name), linear)
            for name, linear in sublayer.matrices.items()
        }

    attention, ffn = block.attention, block.ffn
    return replace(
        block,
        attention=attention and attention.with_matrices(new("attention", attention)),
        ffn=ffn and ffn.with_matrices(new("ffn", ffn)),
    )


def _in_block(place: str, sublayer: AttentionSublayer | FfnSublayer, name: str) -> str:
    """The name of a matrix among all of its block: both sublayers may be replaced."""
    return f"{place}_{name}" if isinstance(sublayer, ReplacedSublayer) else name
