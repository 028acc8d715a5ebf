"""Costs of every choice of every sublayer, and the rest of the model, so that sums are whole models.

Each distinct sublayer is timed once, in a block of its own; kernels of different blocks do not wait for each
other, so that times add. Where a block's sublayers share work (a norm, residual maps), a choice costs what
the block with it takes more than the block without the sublayer. The remainder is what the dense model takes
beyond its sublayers: embedding, final norm, head, and slots with nothing to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array, as_array
from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.profile import HardwareProfile
from infersim.pruning.families.static_m import without
from infersim.simulation.search.spaces.choices import Sublayer, with_sublayer
from infersim.simulation.search.spaces.space import Slot, Space
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.timeline import Timeline, timelines
from infersim.workload.counts import parameters, weight_bytes
from infersim.workload.formats import as_stored
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.transformer import Block, ExpertLayer, Transformer, has_experts

STRETCH = 512
"""Distinct blocks that are timed at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantity:
    """One additive quantity: `values` of each entry and the `remainder`; more axes may follow the first."""

    values: Array
    remainder: Array

    def total(self, entries: npt.NDArray[np.intp]) -> Array:
        """The whole model's, where each slot has one of `entries`."""
        summed: Array = self.values[entries].sum(axis=0) + self.remainder
        return summed

    def of_scenario(self, flat: int, unit: float) -> Quantity:
        """That of one scenario, so many `unit` to one."""
        return Quantity(values=self.values[:, flat] * unit, remainder=np.asarray(self.remainder[flat] * unit))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entries:
    """The choices of all slots in one row: slot i has entries `starts[i]` up to `starts[i + 1]`.

    `unique` is the place of each entry's sublayer among the distinct ones, `plus` and `minus` the blocks
    whose difference these cost (-1: nothing), `blocks` all of them.
    """

    space: Space
    starts: npt.NDArray[np.intp]
    unique: npt.NDArray[np.intp]
    plus: npt.NDArray[np.intp]
    minus: npt.NDArray[np.intp]
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, space: Space) -> Entries:
        """Lay out the entries of a space."""
        places: dict[Block, int] = {}
        pairs: dict[tuple[int, int], int] = {}
        of_slot: dict[tuple[Block, int], list[int]] = {}
        unique: list[int] = []
        for slot in space.slots:
            dense = space.model.blocks[slot.layer]
            key = (dense, id(slot.made))
            if key not in of_slot:
                found = [_pair(dense, place, slot, places) for place in range(len(slot.choices))]
                of_slot[key] = [pairs.setdefault(pair, len(pairs)) for pair in found]
            unique += of_slot[key]
        starts = np.cumsum([0, *(len(slot.choices) for slot in space.slots)])
        plus, minus = (np.array(each, dtype=np.intp) for each in zip(*pairs, strict=True))
        return cls(
            space=space,
            starts=starts.astype(np.intp),
            unique=np.array(unique, dtype=np.intp),
            plus=plus,
            minus=minus,
            blocks=tuple(places),
        )

    def chosen(self, places: Sequence[int]) -> npt.NDArray[np.intp]:
        """The entries of one choice for each slot."""
        return self.starts[:-1] + np.asarray(places, dtype=np.intp)

    @property
    def kept(self) -> npt.NDArray[np.intp]:
        """The entries of the dense model."""
        return self.starts[:-1]

    def quantity(self, of_blocks: Array, dense_total: Array) -> Quantity:
        """An additive quantity from those of `blocks` and of the dense model."""
        padded = np.concatenate([of_blocks, np.zeros((1, *of_blocks.shape[1:]))])
        values = (padded[self.plus] - padded[self.minus])[self.unique]
        return Quantity(values=values, remainder=as_array(dense_total) - values[self.kept].sum(axis=0))


def _pair(dense: Block, place: int, slot: Slot, places: dict[Block, int]) -> tuple[int, int]:
    """The blocks whose difference an entry costs; -1 stands for nothing."""
    sublayer, became = slot.sublayer, slot.made[place]
    if became is None:
        return -1, -1
    if not (dense.parallel or dense.residual_maps or dense.added):
        alone = with_sublayer(Block(attention=None, ffn=None), sublayer, became)
        return places.setdefault(alone, len(places)), -1
    bare = without(dense, attention=sublayer is Sublayer.ATTENTION, ffn=sublayer is Sublayer.FFN)
    whole = with_sublayer(dense, sublayer, became)
    return places.setdefault(whole, len(places)), places.setdefault(bare, len(places))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassCosts:
    """Seconds, cold floors and FLOPs of some passes; the axes after the entries are the scenarios', flat.

    `attention_s` are those of attention kernels alone, without launches.
    """

    seconds: Quantity
    attention_s: Quantity
    floor_s: Quantity
    flop: Quantity


def pass_costs(
    entries: Entries, passes: Sequence[Pass], profile: HardwareProfile
) -> tuple[PassCosts, Timeline]:
    """What entries take in passes on a GPU, and the timeline of the dense model.

    Raises UnsupportedError where the GPU lacks a data type.
    """
    model = entries.space.model
    check_formats(entries.blocks, model, passes[0].scenario.execution)
    dense = timelines(lay_out((model,), passes), profile)[0]
    parts = [
        _of_blocks(model, entries.blocks[start : start + STRETCH], passes, profile)
        for start in range(0, len(entries.blocks), STRETCH)
    ]
    seconds, attention, floors, flop = (np.concatenate(values) for values in zip(*parts, strict=True))
    return (
        PassCosts(
            seconds=entries.quantity(seconds, dense.latency_s.ravel()),
            attention_s=entries.quantity(attention, dense.part_s()[Part.ATTENTION.value].ravel()),
            floor_s=entries.quantity(floors, dense.floor_s.ravel()),
            flop=entries.quantity(flop, dense.costs.flop.sum(axis=0).ravel()),
        ),
        dense,
    )


def _of_blocks(
    model: Transformer, blocks: Sequence[Block], passes: Sequence[Pass], profile: HardwareProfile
) -> tuple[Array, Array, Array, Array]:
    """Seconds, those of attention kernels, cold roofline and FLOPs of each block: blocks x flat scenarios."""
    # What is said of experts (`expert_parallel`, `routing`) is refused of blocks that are all without.
    experts = [block for block, _ in model.grouped_blocks() if isinstance(block.ffn, ExpertLayer)][:1]
    laid_out = lay_out((model.with_blocks((*blocks, *experts)),), passes)
    found = timelines(laid_out, profile)[0]
    groups = np.array([-1 if op.group is None else op.group for op in found.program.ops])
    attention = np.array([op.part is Part.ATTENTION for op in found.program.ops])
    # Choices that differ may leave one GPU the same share: these are one group, that many times.
    shares = list(found.program.share.grouped_blocks())
    group_of = {block: place for place, (block, _) in enumerate(shares)}
    places = [group_of[block] for block in found.program.share.blocks[: len(blocks)]]
    times = np.array([count for _, count in shares], dtype=np.float64)
    costs = found.costs

    def by_block(values: Array) -> Array:
        flat = values.reshape(len(values), -1)
        summed = np.zeros((len(shares), flat.shape[1]))
        np.add.at(summed, groups[groups >= 0], flat[groups >= 0])
        return (summed / times[:, np.newaxis])[places]

    of_attention = costs.kernel_s * attention.reshape((-1,) + (1,) * (costs.kernel_s.ndim - 1))
    return (
        by_block(costs.latency_s),
        by_block(of_attention),
        by_block(costs.cold_roofline_s),
        by_block(costs.flop),
    )


def check_formats(blocks: Sequence[Block], model: Transformer, execution: Execution) -> None:
    """Refuse choices of a format where other matrices are not in 16 bit by what somebody asked for."""
    stated = any(linear.format is not None for block in blocks for linear in block.linears)
    own = any(linear.format is not None for block, _ in model.grouped_blocks() for linear in block.linears)
    if stated and not own and (execution.explicit or execution.precision.name != "bf16"):
        raise UnsupportedError(
            f"formats are choices of single sublayers: expected no dtype for the others beside them "
            f"(dtype = {execution.precision.name})"
        )


def memory_costs(entries: Entries, scenario: Scenario, dense_bytes: Array) -> Quantity:
    """Bytes of weights and KV cache of one GPU; activations, the dense model's, are in the remainder."""
    of_blocks = block_bytes(entries, scenario, dense_bytes.shape, 1.0)
    return entries.quantity(of_blocks, dense_bytes.ravel())


def block_bytes(entries: Entries, scenario: Scenario, shape: tuple[int, ...], caches: float) -> Array:
    """Bytes of weights of each block and of so many times its KV cache, on one GPU: blocks x scenarios."""
    model = entries.space.model
    execution = as_stored(scenario.execution, model)
    scenario = replace(scenario, execution=execution)
    bare = weight_bytes(_share(model.with_blocks(()), execution), execution)
    found = np.zeros((len(entries.blocks), int(np.prod(shape))))
    for place, block in enumerate(entries.blocks):
        one = _share(model.with_blocks((block,)), execution)
        cache = np.broadcast_to(kv_cache_bytes(one, scenario), shape).ravel()
        found[place] = weight_bytes(one, execution) - bare + caches * cache
    return found


def _share(blocks: Transformer, execution: Execution) -> Transformer:
    """What a GPU has of some blocks, with experts or without."""
    whole = execution.expert_parallel and has_experts(blocks)
    return gpu_share(blocks, replace(execution, expert_parallel=whole))


def parameter_counts(entries: Entries) -> Quantity:
    """Parameters of each entry and of the rest."""
    model = entries.space.model
    bare = parameters(model.with_blocks(()))
    found = np.array(
        [parameters(model.with_blocks((block,))) - bare for block in entries.blocks], dtype=float
    )
    return entries.quantity(found, as_array(float(parameters(model))))
