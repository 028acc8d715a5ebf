"""The widest dimension that costs no more time than the one asked for: what alignment gives away for free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infersim.pruning.composition import prune
from infersim.pruning.plan import Plan
from infersim.pruning.static_nk import STATIC_NK
from infersim.pruning.static_nk_cross import STATIC_NK_CROSS
from infersim.simulation.comparison import compare
from infersim.simulation.resolving import Dimension, Gpu, Model, as_transformer
from infersim.workload.requests import Request
from infersim.workload.transformer import FeedForward, Transformer

if TYPE_CHECKING:
    import pandas as pd

ALIGN = 64
"""Widths worth having: one 64-deep step of K, half an N tile."""

REACH = 8
"""How many aligned widths above the one asked for are looked at."""

FREE = 1e-3
"""A longer time of less than 0.1 % is none."""


def free_widths(
    model: Model,
    gpu: Gpu | Sequence[Gpu],
    sparsity: float,
    *,
    phase: str = "prefill",
    batch: Dimension = 1,
    context: Dimension | None = None,
    dtype: str = "bf16",
    execution: str = "fused",
    cuda_graph: bool = True,
    kv_dtype: str | None = None,
    request: str | Request | None = None,
) -> pd.DataFrame:
    """One row for each scenario and dimension: the FFN width, and the hidden size cut across blocks.

    `asked` is the exact width of `sparsity`, without rounding; `free` the widest multiple of 64, of the eight
    from there on, that is predicted to take no longer (`asked` itself where none is); `nearest` the first of
    them with its `nearest_cost`, the part of the latency that it adds, and `kept` the part of the dimension
    that `free` gives back. A dimension that leaves no aligned width below the dense one has no row. Raises
    what `compare` and `prune` raise.
    """
    import pandas as pd

    base = as_transformer(model)
    rows = []
    for name, full, exact, wider in _dimensions(base, sparsity):
        if not wider:
            continue
        frame = compare(
            base,
            [exact, *wider.values()],
            gpu,
            phase=phase,
            batch=batch,
            context=context,
            dtype=dtype,
            execution=execution,
            cuda_graph=cuda_graph,
            kv_dtype=kv_dtype,
            request=request,
        )
        asked = round((1 - sparsity) * full)
        for keys, tried in frame.groupby(["model", "gpu", "phase", "batch", "context"], sort=False):
            latency_ms = tried["latency_ms"].to_numpy(dtype=float)
            costs = dict(zip(wider, latency_ms[1:] / latency_ms[0] - 1, strict=True))
            free = max((width for width, cost in costs.items() if cost <= FREE), default=asked)
            nearest = min(costs)
            rows.append(
                {
                    **dict(zip(("model", "gpu", "phase", "batch", "context"), keys, strict=True)),
                    "dimension": name,
                    "full": full,
                    "asked": asked,
                    "free": max(free, asked),
                    "kept": (max(free, asked) - asked) / full,
                    "nearest": nearest,
                    "nearest_cost": costs[nearest],
                    "latency_ms": latency_ms[0],
                }
            )
    return pd.DataFrame(rows)


def _dimensions(base: Transformer, sparsity: float) -> Iterator[tuple[str, int, Plan, dict[int, Plan]]]:
    """Each dimension with its full width, the plan of the exact width, and those of wider, aligned ones."""
    widths = {block.ffn.width for block in base.blocks if isinstance(block.ffn, FeedForward)}
    if len(widths) == 1:
        (width,) = widths
        yield "FFN width", width, *_tried(base, STATIC_NK.name, width, sparsity, target="ffn")
    yield "hidden size", base.hidden, *_tried(base, STATIC_NK_CROSS.name, base.hidden, sparsity)


def _tried(
    base: Transformer, family: str, full: int, sparsity: float, **options: str
) -> tuple[Plan, dict[int, Plan]]:
    exact = prune(base, family, sparsity, align=1, **options)
    asked = round((1 - sparsity) * full)
    first = -(-asked // ALIGN) * ALIGN
    wider = {
        width: prune(base, family, 1 - width / full, align=1, **options)
        for width in range(first, min(first + REACH * ALIGN, full), ALIGN)
    }
    return exact, wider
