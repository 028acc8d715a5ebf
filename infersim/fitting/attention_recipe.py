"""What calibrating attention fits: the kernels' parameters, and a residual over heads and tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.shapes import Phase
from infersim.fitting.gaussian_process import Component
from infersim.fitting.smooth_residual import Smooth

PREFILL = Component(length_scales=(16.0, 16.0, 6.0, 8.0, 16.0, 16.0, 16.0), amplitude=0.15)
"""Octaves of heads in flight, group, query, head width, KV heads in flight, and tokens x each of the two."""

DECODE = Component(length_scales=(20.0, 12.0, 8.0, 6.0, 12.0, 12.0, 12.0), amplitude=0.15)
"""Octaves of batch, KV heads, context, head width, group, KV heads in flight, and context x those."""


def attention_smooths(phase: Phase) -> tuple[Smooth, ...]:
    """The residual of one phase."""
    if phase is Phase.PREFILL:
        axes = ("log2 heads in flight", "log2 group", "log2 query", "log2 head dim")
        return (Smooth(component=PREFILL, axes=axes, knots_per_unit=(1, 1, 2, 1), derive=_prefill),)
    axes_ = ("log2 batch", "log2 kv heads", "log2 group", "log2 context", "log2 head dim")
    return (Smooth(component=DECODE, axes=axes_, knots_per_unit=(1, 0.5, 0.5, 1, 1), derive=_decode),)


def _prefill(at: Mapping[str, Array]) -> Array:
    heads, group, query = at["log2 heads in flight"], at["log2 group"], at["log2 query"]
    kv_heads = heads - group
    return np.stack(
        (heads, group, query, at["log2 head dim"], kv_heads, heads + query, kv_heads + query), axis=1
    )


def _decode(at: Mapping[str, Array]) -> Array:
    batch, kv_heads, context = at["log2 batch"], at["log2 kv heads"], at["log2 context"]
    in_flight = batch + kv_heads
    return np.stack(
        (batch, kv_heads, context, at["log2 head dim"], at["log2 group"], in_flight, in_flight + context),
        axis=1,
    )
