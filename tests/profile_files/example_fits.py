"""Fits for tests: one kind of each shape, with a residual grid."""

from __future__ import annotations

import numpy as np

from infersim.cost.fit_names import known_names
from infersim.domain.fit import Fit, GridAxis, IntervalFit, KindFit, ResidualGrid


def example_kind(kind: str, *, knots: tuple[int, ...] = (), seed: int = 0) -> KindFit:
    """A kind with three parameters and, for `knots`, a grid of seeded noise of a few per cent."""
    known = known_names(kind)
    axes = tuple(
        GridAxis(name=name, low=0.0, high=16.0, count=count)
        for name, count in zip(known.axes if known else (), knots, strict=False)
    )
    noise = np.random.default_rng(seed).normal(0.0, 0.05, knots).astype(np.float32)
    return KindFit(
        kind=kind,
        parameters={"chain_us": 0.0612345, "dram_efficiency": 0.85, "launch_us": 2.1},
        uncertainties={"chain_us": 0.002, "dram_efficiency": None},
        at_bound=("launch_us",),
        residuals=(ResidualGrid(axes=axes, values=noise),) if knots else (),
        interval=IntervalFit(by_regime={"decode": 0.05, "prefill": 0.08}, pair=0.06, outside=0.4),
        ranges={"m": (1.0, 65536.0), "n": (32.0, 32768.0)},
        rows=400,
        held_out={"mape": 0.067, "by_class": {"decode": 0.05}, "seeds": [0, 1, 2]},
    )


def example_fit(gpu: str) -> Fit:
    """A fit of two kinds, one with a small grid."""
    kinds = (example_kind("gemm.bf16", knots=(3, 4, 2)), example_kind("attention.decode"))
    provenance = {"source": "made up", "rows": {"gemm": 400}, "versions": ["1.0"], "driver": None}
    return Fit(gpu=gpu, kinds={kind.kind: kind for kind in kinds}, provenance=provenance)
