"""Grids: plans of one model x GPUs x batches x contexts, run in one way, and how they are cut into chunks.

A chunk is a smaller grid. It holds all that it needs, so that any process can compute it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.simulation.cases import make_execution
from infersim.workload.requests import Request, decode_points
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

CHUNK_ROWS = 32_768
"""Rows of a chunk, where each is one pass of a model whose blocks are equal: about a second of one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a model is run, by the names that `compare` takes."""

    dtype: str
    kv_dtype: str | None
    execution: str
    cuda_graph: bool

    def as_execution(self) -> Execution:
        """The record; raises UnknownNameError for names that are not known."""
        return make_execution(
            dtype=self.dtype, execution=self.execution, cuda_graph=self.cuda_graph, kv_dtype=self.kv_dtype
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Scenarios of one phase or of one request (then without contexts), in rows of this order of axes.

    GPUs are the outermost axis, then plans, batches and contexts: the order of `compare`.
    """

    model: Transformer
    setting: Setting
    phase: str | None
    request: Request | None
    gpus: tuple[HardwareProfile, ...]
    plans: tuple[Plan, ...]
    batches: tuple[int, ...]
    contexts: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of its table."""
        return len(self.gpus) * len(self.plans) * self.scenarios

    @property
    def scenarios(self) -> int:
        """Rows of each plan on each GPU."""
        return len(self.batches) * (len(self.contexts) if self.request is None else 1)

    @property
    def weight(self) -> int:
        """What a row costs: forward passes x unlike blocks of a plan (one pass of equal blocks: 1)."""
        passes = 1 if self.request is None else 1 + len(decode_points(self.request)[0])
        return passes * max(len(tuple(plan.transformer.grouped_blocks())) for plan in self.plans)

    def chunks(self, rows: int) -> Iterator[Grid]:
        """Consecutive smaller grids of at most `rows` rows of weight 1, or fewer of more weight."""
        for gpus, plans, batches, contexts in _cuts(self._sizes, max(1, rows // self.weight)):
            yield replace(
                self,
                gpus=self.gpus[gpus],
                plans=self.plans[plans],
                batches=self.batches[batches],
                contexts=self.contexts[contexts],
            )

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        contexts = len(self.contexts) if self.request is None else 1
        return len(self.gpus), len(self.plans), len(self.batches), contexts


def _cuts(sizes: Sequence[int], limit: int) -> Iterator[tuple[slice, ...]]:
    """A product of axes, outermost first, in consecutive parts of at most `limit` members."""
    if not sizes:
        yield ()
        return
    size, *rest = sizes
    inner = math.prod(rest)
    if inner > limit:
        for place in range(size):
            for cut in _cuts(rest, limit):
                yield slice(place, place + 1), *cut
        return
    step = limit // inner
    for start in range(0, size, step):
        yield slice(start, min(start + step, size)), *(slice(0, length) for length in rest)
