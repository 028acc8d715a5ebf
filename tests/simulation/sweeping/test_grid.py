"""Chunks: consecutive, complete and small, whatever the axes and the limit."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

import infersim as sim
from infersim.pruning.composition import prune
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.simulation.sweeping.grid import Grid
from infersim.workload.requests import Request

MODEL = sim.load_model("llama-3.2-1b")
GPU = sim.load_profile("l4")
PLANS = [prune(MODEL, "static-m", k / 16) for k in range(1, 9)]


def grid(gpus: int, plans: int, batches: int, contexts: int, request: Request | None = None) -> Grid:
    asked = Scenarios.of(
        phase="decode",
        batch=range(1, batches + 1),
        context=None if request else range(1, contexts + 1),
        request=request,
    )
    return Grid(model=MODEL, scenarios=asked, gpus=(GPU,) * gpus, plans=tuple(PLANS[:plans]))


def cells(part: Grid) -> list[tuple[int, str, int, int]]:
    """Scenarios in the order of rows; GPUs, which are equal here, by their number in the part."""
    return [
        (gpu, plan.title, batch, context)
        for gpu in range(len(part.gpus))
        for plan in part.plans
        for batch in part.scenarios.batch
        for context in part.scenarios.context
    ]


axis = st.integers(1, 8)


@settings(deadline=None, max_examples=60)
@given(gpus=axis, plans=axis, batches=axis, contexts=axis, limit=st.integers(1, 600))
def test_chunks_are_the_grid_in_order(gpus: int, plans: int, batches: int, contexts: int, limit: int) -> None:
    whole = grid(gpus, plans, batches, contexts)
    chunks = list(whole.chunks(limit))
    assert sum(chunk.rows for chunk in chunks) == whole.rows
    assert all(chunk.rows <= limit for chunk in chunks)
    order = [cell[1:] for chunk in chunks for cell in cells(chunk)]
    assert order == [cell[1:] for cell in cells(whole)]


def test_a_chunk_of_a_grid_that_is_small_enough_is_the_grid() -> None:
    whole = grid(2, 3, 4, 5)
    assert list(whole.chunks(120)) == [whole]


def test_rows_of_requests_weigh_as_many_passes() -> None:
    # Prefill and 4 decode steps.
    request = grid(1, 2, 8, 0, Request(prompt_len=16, output_len=5))
    assert (request.rows, request.weight) == (16, 5)
    assert [chunk.rows for chunk in request.chunks(40)] == [8, 8]


def test_models_of_unlike_blocks_weigh_more() -> None:
    half = prune(MODEL, "static-m", 0.5, target="ffn")
    unlike = len(tuple(half.transformer.grouped_blocks()))
    assert unlike == 2
    asked = Scenarios.of(phase="decode", batch=[1, 2], context=64)
    whole = Grid(model=MODEL, scenarios=asked, gpus=(GPU,), plans=(half,))
    assert whole.weight == 2
    assert math.prod((whole.weight, whole.rows)) == 4
