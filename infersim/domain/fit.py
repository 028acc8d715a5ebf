"""What calibration found out about a GPU, one `KindFit` for each kind of kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    the GPU; other GPUs' fits and the datasheet say so, and no file keeps it. `kernels` names the kernel set
    that was measured (None: nobody says). `interval` is of the samples themselves; `claim` says whose other
    measurements predictions are to hold.
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
    kernels: str | None = None
    claim: Claim = Claim.SETUP


KERNEL_SETS: tuple[str, ...] = ("vllm", "tensorrt-llm", "sglang")
"""Engines whose kernels differ enough for fits of their own: up to twice at few tokens in 8 bit."""

PAST_KERNEL_SETS: tuple[str, ...] = ("torch-2.1",)
"""Kernels of years ago (Vidur's tables, 2024): they stand in for nothing that is run today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """All kinds calibrated on one GPU, and where the measurements came from.

    `kinds` are those that predictions use. A GPU may have been measured with the kernels of several engines:
    `kernel_sets` holds what was fitted of each, by kind, and measurements of two are never in one fit.
    `kernels` names the set that was chosen, `default_kernels` the one that is used where nobody chooses;
    both are None where the fit does not say whose kernels were measured.
    """

    gpu: str
    kinds: Mapping[str, KindFit]
    provenance: Mapping[str, Any]
    kernel_sets: Mapping[str, Mapping[str, KindFit]] = field(default_factory=dict)
    default_kernels: str | None = None
    kernels: str | None = None

    def run_by(self, kernels: str | None) -> Fit:
        """The fit with the kernels of a set (None: the default) in force.

        A kind that the set lacks is the default set's, else that of the largest other set which has it.
        """
        chosen = self.default_kernels if kernels is None else kernels
        kinds = dict(self.kinds)
        for name in self._from_last(chosen):
            kinds.update(self.kernel_sets.get(name, {}))
        return replace(self, kinds=kinds, kernels=chosen)

    def of_engine(self, kernels: str) -> Fit:
        """`run_by` for someone who knows the engine: what was measured of it need not hold other engines."""
        fit = self.run_by(kernels)
        kinds = {
            name: replace(kind, claim=Claim.ENGINE)
            if kind.kernels == kernels and kind.claim is Claim.WORLD
            else kind
            for name, kind in fit.kinds.items()
        }
        return replace(fit, kinds=kinds)

    def with_kinds(self, kinds: Mapping[str, KindFit], kernels: str | None = None) -> Fit:
        """The fit with these kinds measured of a kernel set (None: the default one), which is in force."""
        name = self.default_kernels if kernels is None else kernels
        if name is None:
            return replace(self, kinds={**self.kinds, **kinds})
        named = {kind: replace(fit, kernels=name) for kind, fit in kinds.items()}
        sets = {**self.kernel_sets, name: {**self.kernel_sets.get(name, {}), **named}}
        default = name if self.default_kernels is None else self.default_kernels
        return replace(self, kernel_sets=sets, default_kernels=default).run_by(name)

    def _from_last(self, chosen: str | None) -> Iterator[str]:
        """Names of the sets, from the one that yields to all others to the chosen one."""
        sizes = {name: len(kinds) for name, kinds in self.kernel_sets.items() if name not in PAST_KERNEL_SETS}
        yield from sorted(sizes, key=lambda name: (sizes[name], name))
        yield from (name for name in (self.default_kernels, chosen) if name is not None)
