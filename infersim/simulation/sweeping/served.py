"""Grids of services: plans of one model x GPUs x lengths x concurrencies under one engine, cut into chunks.

A chunk holds all plans of its lengths, beside the dense model, so that each is timed once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.simulation.serving.answers import answered
from infersim.simulation.serving.columns import answer_frame
from infersim.simulation.serving.service import Service
from infersim.simulation.sweeping.grid import cuts
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd

PASSES = 2
"""What a row costs: a decode step, and its part of a prompt and of the dense model's row."""

REQUEST = "request"
"""The phase of whole requests."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedGrid:
    """Rows in this order of axes: GPUs, chunks of lengths, plans, lengths, concurrencies."""

    model: Transformer
    service: Service
    gpus: tuple[HardwareProfile, ...]
    plans: tuple[Plan, ...]

    @property
    def rows(self) -> int:
        """Rows of its table."""
        return math.prod(self._sizes)

    @property
    def plan_rows(self) -> int:
        """Rows of each plan on each GPU."""
        return len(self.service.lengths) * max(1, len(self.service.concurrency))

    @property
    def weight(self) -> int:
        """What a row costs: forward passes x unlike blocks of a plan."""
        return PASSES * max(len(tuple(plan.transformer.grouped_blocks())) for plan in self.plans)

    def chunks(self, rows: int) -> Iterator[ServedGrid]:
        """Consecutive smaller grids of at most `rows` rows of weight 1, or fewer of more weight."""
        for gpus, lengths, *_ in cuts(self._sizes[:2], max(1, rows // self.weight // self._inner)):
            some = replace(self.service, lengths=self.service.lengths[lengths])
            yield replace(self, service=some, gpus=self.gpus[gpus])

    @property
    def _inner(self) -> int:
        return math.prod(self._sizes[2:])

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        service = self.service
        concurrencies = max(1, len(service.concurrency))
        return len(self.gpus), len(service.lengths), len(self.plans), concurrencies


def served_grid_frame(grid: ServedGrid) -> pd.DataFrame:
    """The columns of `serve` for each plan, and those by which a sweep is summed up.

    `predicted` is the speedup of tokens per second over the dense model with the same lengths and
    concurrency; `batch` the concurrency, `context` the tokens read and written, `dense_tokens_per_s` and
    `dense_fits_memory` the dense model's.
    """
    import pandas as pd

    return pd.concat(
        [frame for gpu in grid.gpus for frame in _of_gpu(grid, gpu)], ignore_index=True
    ).reset_index(drop=True)


def _of_gpu(grid: ServedGrid, gpu: HardwareProfile) -> Iterator[pd.DataFrame]:
    dense = answer_frame(answered(Plan(base=grid.model, transformer=grid.model), gpu, grid.service))
    engine = grid.service.engine
    for plan in grid.plans:
        frame = answer_frame(answered(plan, gpu, grid.service))
        beside: dict[str, Any] = {
            "pruning": plan.pruning,
            "family": plan.family,
            "sparsity": np.nan if plan.sparsity is None else plan.sparsity,
            "sparsity_realised": plan.sparsity_realised,
            "phase": REQUEST,
            "request": f"served by {engine.name}",
            "execution": grid.service.execution.layout.value,
            "cuda_graph": engine.kernels.graph_batch > 0,
            "batch": frame["concurrency"],
            "context": (frame["prompt"] + frame["output"]).round().astype(np.int64),
            "predicted": frame["tokens_per_s"] / dense["tokens_per_s"],
            "bound": np.nan,
            "dense_tokens_per_s": dense["tokens_per_s"],
            "dense_fits_memory": dense["fits_memory"],
        }
        yield frame.assign(**beside)
