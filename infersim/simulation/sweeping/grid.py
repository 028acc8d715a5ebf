"""Grids: plans of one model x GPUs x batches x contexts, run in one way, and how they are cut into chunks.

A chunk is a smaller grid. It holds all that it needs, so that any process can compute it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.workload.requests import decode_points
from infersim.workload.transformer import Transformer

CHUNK_ROWS = 32_768
"""Rows of a chunk, where each is one pass of a model whose blocks are equal: about a second of one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Scenarios of one phase or of one request, in rows of this order of axes.

    GPUs are the outermost axis, then plans, batches and contexts: the order of `compare`.
    """

    model: Transformer
    scenarios: Scenarios
    gpus: tuple[HardwareProfile, ...]
    plans: tuple[Plan, ...]

    @property
    def rows(self) -> int:
        """Rows of its table."""
        return len(self.gpus) * len(self.plans) * self.plan_rows

    @property
    def plan_rows(self) -> int:
        """Rows of each plan on each GPU."""
        return math.prod(self._sizes[2:])

    @property
    def weight(self) -> int:
        """What a row costs: forward passes x unlike blocks of a plan (one pass of equal blocks: 1)."""
        request = self.scenarios.request
        passes = 1 if request is None else 1 + len(decode_points(request)[0])
        return passes * max(len(tuple(plan.transformer.grouped_blocks())) for plan in self.plans)

    def chunks(self, rows: int) -> Iterator[Grid]:
        """Consecutive smaller grids of at most `rows` rows of weight 1, or fewer of more weight."""
        for gpus, plans, batches, contexts in cuts(self._sizes, max(1, rows // self.weight)):
            asked = replace(
                self.scenarios,
                batch=self.scenarios.batch[batches],
                context=self.scenarios.context[contexts],
            )
            yield replace(self, scenarios=asked, gpus=self.gpus[gpus], plans=self.plans[plans])

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        contexts = len(self.scenarios.context) if self.scenarios.request is None else 1
        return len(self.gpus), len(self.plans), len(self.scenarios.batch), contexts


def cuts(sizes: Sequence[int], limit: int) -> Iterator[tuple[slice, ...]]:
    """A product of axes, outermost first, in consecutive parts of at most `limit` members."""
    if not sizes:
        yield ()
        return
    size, *rest = sizes
    inner = math.prod(rest)
    if inner > limit:
        for place in range(size):
            for cut in cuts(rest, limit):
                yield slice(place, place + 1), *cut
        return
    step = limit // inner
    for start in range(0, size, step):
        yield slice(start, min(start + step, size)), *(slice(0, length) for length in rest)
