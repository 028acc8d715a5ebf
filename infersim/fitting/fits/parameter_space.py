"""Which parameters of the cost model calibration may move, how far, and how hard the start pulls back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from infersim.cost.parameters import DEFAULTS, TILES, tile_name
from infersim.cost.small_kernel_parameters import own_name
from infersim.domain.arrays import Array
from infersim.domain.small_kernels import SmallKernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: searched in log where `log`, else as it is; between `low` and `high`.

    `pull` weighs the distance from the start, in natural-log units, against log-latency errors: it holds
    what few samples cannot tell. `second_start` is where a second search starts, for a parameter whose
    effect has an edge that a search does not cross.
    """

    name: str
    start: float
    low: float
    high: float
    pull: float = 0.03
    log: bool = True
    second_start: float | None = None


@dataclass(frozen=True, slots=True)
class ParameterSpace:
    """The parameters of a kind as a vector of search coordinates."""

    parameters: tuple[Parameter, ...]

    @property
    def start(self) -> Array:
        """Coordinates of the starting values."""
        return self.coordinates({p.name: p.start for p in self.parameters})

    @property
    def starts(self) -> list[Array]:
        """Coordinates that searches start from: `start`, and one with the second starts where there are."""
        second = {p.name: p.start if p.second_start is None else p.second_start for p in self.parameters}
        others = any(p.second_start is not None for p in self.parameters)
        return [self.start, self.coordinates(second)] if others else [self.start]

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Coordinates of the lowest and highest values."""
        low = self.coordinates({p.name: p.low for p in self.parameters})
        return low, self.coordinates({p.name: p.high for p in self.parameters})

    @property
    def pulls(self) -> Array:
        """Weight of each coordinate's distance from the start."""
        return np.array([p.pull for p in self.parameters])

    def held_to(self, values: Mapping[str, float], deviations: Mapping[str, float | None]) -> ParameterSpace:
        """The space with `values` as start, pulled back the harder the smaller their standard deviations.

        Both are in the parameters' own units; what has none keeps its start and pull.
        """
        return ParameterSpace(
            tuple(
                _held(p, values[p.name], deviations.get(p.name)) if p.name in values else p
                for p in self.parameters
            )
        )

    def coordinates(self, values: Mapping[str, float]) -> Array:
        """Values -> search coordinates."""
        return np.array([np.log(values[p.name]) if p.log else values[p.name] for p in self.parameters])

    def values(self, coordinates: Array) -> dict[str, float]:
        """Search coordinates -> values."""
        return {
            p.name: float(np.exp(x)) if p.log else float(x)
            for p, x in zip(self.parameters, coordinates, strict=True)
        }


PRIOR_NOISE = 0.12
"""Log error of one sample against which a prior's standard deviation is weighed."""


def _held(parameter: Parameter, value: float, deviation: float | None) -> Parameter:
    start = min(max(value, parameter.low), parameter.high)
    if not deviation:
        return replace(parameter, start=start)
    in_coordinates = deviation / value if parameter.log else deviation
    return replace(parameter, start=start, pull=PRIOR_NOISE / in_coordinates)


_GEMM_BOUNDS: Mapping[str, tuple[float, float]] = {
    "efficiency": (0.02, 1.15),
    "chain_us": (0.005, 5.0),
    "prologue_us": (0.005, 50.0),
    "l2_bytes_per_clock_per_sm": (1.0, 400.0),
    "dram_efficiency": (0.2, 1.0),
    "launch_us": (0.05, 50.0),
    "split_k_us": (0.05, 50.0),
    "tile_overhead": (0.03, 60.0),
    "throttle": (0.001, 1.5),
    "l2_residency": (0.01, 1.0),
    "residency_sharpness": (6.0, 40.0),
    "epilogue_bytes_per_clock_per_sm": (0.3, 500.0),
    "wave_fill": (0.01, 1.0),
    "unsplit_chain_us": (0.005, 5.0),
    "gemv_launch_us": (0.05, 50.0),
    "gemv_bytes_per_clock_per_sm": (0.5, 250.0),
}

_ACT_QUANT_BOUNDS: Mapping[str, tuple[float, float]] = {
    "act_quant_us": (0.05, 50.0),
    "act_quant_token_us": (0.01, 10.0),
    "act_quant_pass_us": (0.01, 10.0),
}

_DEQUANTISE_BOUNDS: Mapping[str, tuple[float, float]] = {"dequantise_per_clock_per_sm": (4.0, 4000.0)}

_PREFILL_BOUNDS: Mapping[str, tuple[float, float]] = {
    "efficiency": (0.02, 1.15),
    "diagonal_steps": (0.01, 6.0),
    "short_exponent": (0.1, 3.0),
    "softmax_per_clock_per_sm": (0.5, 200.0),
    "query_tile": (24.0, 512.0),
    "group_packing": (0.01, 1.0),
    "wave_fill": (0.01, 1.0),
    "block_us": (0.005, 50.0),
    "dram_efficiency": (0.1, 1.0),
    "l2_bytes_per_clock_per_sm": (1.0, 400.0),
    "l2_residency": (0.01, 1.0),
    "exposed_traffic": (0.02, 1.0),
    "wide_head": (0.2, 10.0),
    "launch_us": (0.05, 100.0),
}

_DECODE_BOUNDS: Mapping[str, tuple[float, float]] = {
    "chain_us": (0.01, 20.0),
    "block_us": (0.01, 50.0),
    "group_cost": (0.001, 1.0),
    "group_reread": (0.01, 1.0),
    "dram_efficiency": (0.2, 1.0),
    "l2_bytes_per_clock_per_sm": (1.0, 400.0),
    "l2_residency": (0.01, 1.0),
    "residency_sharpness": (6.0, 40.0),
    "wave_fill": (0.01, 1.0),
    "co_resident": (0.3, 16.0),
    "split_us": (0.02, 50.0),
    "split_exponent": (0.01, 1.5),
    "regroup_us": (0.01, 20.0),
    "head_dim_exponent": (0.05, 1.3),
    "grouped_chain": (0.1, 40.0),
    "alone_block": (0.05, 20.0),
    "launch_us": (0.05, 100.0),
}


_MEMORY_BOUNDS: Mapping[str, tuple[float, float]] = {
    "launch_us": (0.05, 100.0),
    "dram_efficiency": (0.1, 1.0),
    "sm_bytes_per_clock": (0.5, 400.0),
    "residency_sharpness": (1.2, 20.0),
    "loop_residency": (0.02, 1.5),
    "loop_sharpness": (2.0, 40.0),
}

_SMALL_KERNEL_BOUNDS: Mapping[str, tuple[float, float]] = {
    "us": (0.005, 50.0),
    "us_per_kib": (0.0005, 10.0),
    "row_us": (0.003, 30.0),
    "speed": (0.05, 4.0),
    "residency": (0.02, 1.5),
}

_SPARSE_BOUNDS: Mapping[str, tuple[float, float]] = {
    "sparse_operand_time": (0.05, 2.0),
    "sparse_launch_us": (0.01, 50.0),
    "weight_reread": (0.01, 3.0),
}


_SECOND_STARTS = {"l2_residency": 0.85}
"""An L2 that every SM reaches keeps nearly all it can hold; a partitioned one far less, the default."""


def _scale_parameters(kind: str, bounds: Mapping[str, tuple[float, float]]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=name,
            start=DEFAULTS[kind][name],
            low=low,
            high=high,
            second_start=_SECOND_STARTS.get(name),
        )
        for name, (low, high) in bounds.items()
    )


def _share_parameter(kind: str, name: str) -> Parameter:
    """One that says how far kernels do a thing: from 0, not at all, to 1."""
    return Parameter(name=name, start=DEFAULTS[kind][name], low=1e-3, high=1.0, log=False)


_ACT_QUANT = _scale_parameters("gemm", _ACT_QUANT_BOUNDS)

GEMM_SPACE = ParameterSpace(
    (
        *_scale_parameters("gemm", _GEMM_BOUNDS),
        *(
            Parameter(name=tile_name(tile), start=0.0, low=-1.2, high=1.2, pull=0.5, log=False)
            for tile in TILES
        ),
    )
)
"""The tile model's parameters. A tile's offset, natural log of its step time, is pulled hard to 0."""

W8A8_SPACE = ParameterSpace((*GEMM_SPACE.parameters, *_ACT_QUANT))
WEIGHT_ONLY_SPACE = ParameterSpace((*GEMM_SPACE.parameters, *_scale_parameters("gemm", _DEQUANTISE_BOUNDS)))
PREFILL_SPACE = ParameterSpace(_scale_parameters("attention.prefill", _PREFILL_BOUNDS))
DECODE_SPACE = ParameterSpace(
    (
        *_scale_parameters("attention.decode", _DECODE_BOUNDS),
        _share_parameter("attention.decode", "unsplit_alone"),
        replace(_share_parameter("attention.decode", "wide_apart"), second_start=0.8),
    )
)
SPARSE_SPACE = ParameterSpace(_scale_parameters("sparse_gemm", _SPARSE_BOUNDS))


def memory_space(kernels: Iterable[SmallKernel]) -> ParameterSpace:
    """The parameters that all small kernels share, and those of the kinds `kernels`."""
    own = {
        own_name(kernel, name): bounds
        for kernel in sorted(kernels)
        for name, bounds in _SMALL_KERNEL_BOUNDS.items()
    }
    return ParameterSpace(_scale_parameters("memory", {**_MEMORY_BOUNDS, **own}))
