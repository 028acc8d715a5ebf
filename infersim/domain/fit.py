"""What calibration found out about a GPU, one `KindFit` for each kind of kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAxis:
    """One axis of a residual grid: `count` evenly spaced knots from `low` to `high` of a named feature.

    Above `high` the correction fades, or stays what it is at `high` (`holds_above`).
    """

    name: str
    low: float
    high: float
    count: int
    holds_above: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResidualGrid:
    """A smooth correction of log latency, linear between knots, fading to zero outside its axes.

    `values` has one axis for each of `axes`; its unit is natural log of measured over modelled time. The
    features are named by the cost function of the kind ("log2 m", "last wave 128x128").
    """

    axes: tuple[GridAxis, ...]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalFit:
    """80 % half-widths in natural log, from held-out residuals, by regime.

    `by_regime` maps a kind's regime name to the half-width inside it; `pair` is the half-width of the log
    ratio of two related kernels; `outside` widens predictions outside the calibrated range.
    """

    by_regime: Mapping[str, float]
    pair: float
    outside: float


class Claim(StrEnum):
    """Whose measurements the intervals of a fit are to hold: `transfer.strangers` has what that adds.

    - `SETUP`: of the machine, the libraries and the engine that were measured.
    - `ENGINE`: of anyone's such GPU, under the engine whose kernels were measured.
    - `WORLD`: of anyone's such GPU, under whatever engine.
    - `HANDS`: the same, of samples that several hands measured: their own errors hold the spread.
    """

    SETUP = "setup"
    ENGINE = "engine"
    WORLD = "world"
    HANDS = "hands"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFit:
    """Parameters of one kind ("gemm.bf16", "attention.prefill", ...) with what is known of their quality.

    `uncertainties` are one standard deviation in the unit of the parameter, None where unknown.
    `residuals` add up. `weight_copies` is what the samples' timing rotated over (None: cold). `ranges` are
    the (low, high) of each dimension that was sampled. `transferred`: nothing of this kind was measured on
    the GPU; other GPUs' fits and the datasheet say so, and no file keeps it. `interval` is of the samples
    themselves; `claim` says whose other measurements predictions are to hold.
    """

    kind: str
    parameters: Mapping[str, float]
    uncertainties: Mapping[str, float | None]
    at_bound: tuple[str, ...]
    residuals: tuple[ResidualGrid, ...]
    interval: IntervalFit
    ranges: Mapping[str, tuple[float, float]]
    rows: int
    weight_copies: int | None = None
    held_out: Mapping[str, Any] = field(default_factory=dict)
    transferred: bool = False
    claim: Claim = Claim.SETUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """All kinds calibrated on one GPU, and where the measurements came from."""

    gpu: str
    kinds: Mapping[str, KindFit]
    provenance: Mapping[str, Any]
