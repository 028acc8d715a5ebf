"""Programs: every op that transformers run in some passes, laid out once and then timed on any GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from infersim.domain.arrays import Array, Numeric, as_array
from infersim.domain.ops import Op
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.stacking import Stack, stack_shapes
from infersim.workload.memory import memory_use
from infersim.workload.ops.model import model_ops
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What one transformer runs: its ops, pass after pass, on each of the GPUs that share it.

    `share` is what one of them has; the transformer itself where there is one.

    `pass_rows` are the rows of each pass among the ops. `counts` (ops x scenarios) are executions over all
    repetitions of the op's pass, `launches` those that are launched, with or without tokens left to work on.
    `memory_bytes` is the most that any pass needs, over the scenario axes. `whole` are the ops of the whole
    model where GPUs share it (on one GPU they are `ops`), `whole_counts` their executions.
    """

    transformer: Transformer
    share: Transformer
    passes: tuple[Pass, ...]
    ops: tuple[Op, ...]
    pass_rows: tuple[slice, ...]
    counts: Array
    launches: Array
    memory_bytes: Array
    whole: tuple[Op, ...]
    whole_counts: Array

    @property
    def gpus(self) -> int:
        """How many share the model."""
        return self.passes[0].scenario.gpus

    @property
    def places(self) -> tuple[tuple[int, str], ...]:
        """Index of the pass and name of each op."""
        return tuple((index, op.name) for index, rows in enumerate(self.pass_rows) for op in self.ops[rows])

    @property
    def labels(self) -> tuple[str, ...]:
        """Phase and name of each op: ops of one label are the same kernel in other blocks or passes."""
        phases = [case.scenario.phase for case in self.passes]
        return tuple(f"{phases[index]}.{name}" for index, name in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Programs whose ops are stacked together.

    `rows` are each member's rows among the ops of all, in order; `counts` and `launches` are those of all.
    `cuda_graph` is the execution's.
    """

    members: tuple[Program, ...]
    rows: tuple[slice, ...]
    stacks: tuple[Stack, ...]
    counts: Array
    launches: Array
    cuda_graph: bool


def lay_out(transformers: Sequence[Transformer], passes: Sequence[Pass]) -> Programs:
    """Programs of `transformers`, each over the same `passes`, which share one execution."""
    scenarios = [case.scenario for case in passes]
    dimensions = [np.shape(d) for each in scenarios for d in (each.batch, each.context, each.cached)]
    extent = np.broadcast_shapes(*dimensions)
    members = tuple(_program(transformer, tuple(passes), extent) for transformer in transformers)
    return Programs(
        members=members,
        rows=consecutive([len(program.ops) for program in members]),
        stacks=stack_shapes([op.shape for program in members for op in program.ops], len(extent)),
        counts=np.concatenate([program.counts for program in members]),
        launches=np.concatenate([program.launches for program in members]),
        cuda_graph=passes[0].scenario.execution.cuda_graph,
    )


def _program(transformer: Transformer, passes: tuple[Pass, ...], extent: tuple[int, ...]) -> Program:
    share = gpu_share(transformer, passes[0].scenario.execution)
    ops = [model_ops(share, case.scenario) for case in passes]
    needed = [memory_use(share, case.last_scenario).total_bytes for case in passes]
    placed = [(op, case) for case, of_pass in zip(passes, ops, strict=True) for op in of_pass]
    counts = _counts(placed, extent)
    whole = placed if share is transformer else _whole(transformer, passes)
    launches = [np.broadcast_to(as_array(_launches(op, case)) * case.times, extent) for op, case in placed]
    return Program(
        transformer=transformer,
        share=share,
        passes=passes,
        ops=tuple(op for of_pass in ops for op in of_pass),
        pass_rows=consecutive([len(of_pass) for of_pass in ops]),
        counts=counts,
        launches=np.stack(launches),
        memory_bytes=np.broadcast_to(np.maximum.reduce(np.broadcast_arrays(*needed)), extent),
        whole=tuple(op for op, _ in whole),
        whole_counts=counts if whole is placed else _counts(whole, extent),
    )


def _counts(placed: Sequence[tuple[Op, Pass]], extent: tuple[int, ...]) -> Array:
    return np.stack([np.broadcast_to(as_array(op.count) * case.times, extent) for op, case in placed])


def _whole(transformer: Transformer, passes: Sequence[Pass]) -> list[tuple[Op, Pass]]:
    """The ops of the whole model, as one GPU would run them."""
    alone = replace(passes[0].scenario.execution, gpus=1)
    return [
        (op, case)
        for case in passes
        for op in model_ops(transformer, replace(case.scenario, execution=alone))
    ]


def _launches(op: Op, case: Pass) -> Numeric:
    """Launches of an op in one pass: a CUDA graph replays all that it captured, a host only what has work."""
    if not op.launched:
        return 0.0
    if op.captured is None or not case.scenario.execution.cuda_graph:
        return op.count
    return op.captured


def consecutive(lengths: Sequence[int]) -> tuple[slice, ...]:
    """The rows of each of several members that follow each other."""
    ends = np.cumsum(lengths).tolist()
    return tuple(slice(end - length, end) for end, length in zip(ends, lengths, strict=True))
