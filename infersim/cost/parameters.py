"""Parameters of the cost model: names, units, uncalibrated defaults, and which fit a kind leans on.

Rates are fractions of the datasheet, or bytes per clock and SM, so that a similar GPU can borrow a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.cost.small_kernel_parameters import MEMORY_DEFAULTS
from infersim.domain.dtypes import DType, Precision
from infersim.domain.fit import IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.transfer.strangers import claimed_interval

TILES: tuple[tuple[int, int], ...] = (
    (256, 128),
    (128, 256),
    (128, 128),
    (64, 256),
    (64, 128),
    (128, 64),
    (64, 64),
    (32, 128),
    (16, 128),
    (64, 32),
    (16, 64),
    (16, 32),
)
"""Output tiles (rows of M, columns of N) that GEMM libraries choose from."""


def tile_name(tile: tuple[int, int]) -> str:
    """Parameter name of a tile's log speed offset."""
    return f"tile_{tile[0]}x{tile[1]}"


GEMM_DEFAULTS: Mapping[str, float] = {
    "efficiency": 0.9,
    "chain_us": 0.07,
    "prologue_us": 0.1,
    "l2_bytes_per_clock_per_sm": 64.0,
    "dram_efficiency": 0.75,
    "launch_us": 2.2,
    "split_k_us": 2.3,
    "tile_overhead": 3.0,
    "throttle": 0.1,
    "l2_residency": 0.3,
    "residency_sharpness": 15.0,
    "epilogue_bytes_per_clock_per_sm": 8.0,
    "wave_fill": 0.3,
    "unsplit_chain_us": 0.15,
    "gemv_launch_us": 3.5,
    "gemv_bytes_per_clock_per_sm": 10.0,
    "act_quant_us": 2.0,
    "act_quant_token_us": 0.5,
    "act_quant_pass_us": 0.6,
    "dequantise_per_clock_per_sm": 48.0,
} | {tile_name(tile): 0.0 for tile in TILES}
"""GEMM parameters without calibration: middle values of data-centre and consumer GPUs (see docs)."""

ATTENTION_PREFILL_DEFAULTS: Mapping[str, float] = {
    "efficiency": 0.65,
    "diagonal_steps": 0.3,
    "short_exponent": 0.8,
    "softmax_per_clock_per_sm": 8.0,
    "query_tile": 128.0,
    "group_packing": 0.3,
    "wave_fill": 0.2,
    "block_us": 0.2,
    "dram_efficiency": 0.6,
    "l2_bytes_per_clock_per_sm": 20.0,
    "l2_residency": 0.15,
    "exposed_traffic": 0.6,
    "wide_head": 1.0,
    "launch_us": 9.0,
}

ATTENTION_DECODE_DEFAULTS: Mapping[str, float] = {
    "chain_us": 0.8,
    "block_us": 2.0,
    "group_cost": 0.015,
    "group_reread": 0.05,
    "dram_efficiency": 0.8,
    "l2_bytes_per_clock_per_sm": 15.0,
    "l2_residency": 0.5,
    "residency_sharpness": 15.0,
    "wave_fill": 0.1,
    "co_resident": 2.0,
    "split_us": 2.0,
    "split_exponent": 0.3,
    "unsplit_alone": 0.3,
    "wide_apart": 0.001,
    "grouped_chain": 1.0,
    "alone_block": 1.0,
    "regroup_us": 0.5,
    "head_dim_exponent": 0.5,
    "launch_us": 7.0,
}

LAUNCH_DEFAULTS: Mapping[str, float] = {
    "host_us": 20.0,
}
"""What a runtime in Python takes for a kernel: eager decoding of Llama-2-7B by Hugging Face takes 18.6 ms a
token beside an H100 (arXiv:2402.02834) for some 830 kernels. A runtime in C++ takes about 5."""

SPARSE_GEMM_DEFAULTS: Mapping[str, float] = {
    "sparse_operand_time": 0.52,
    "sparse_launch_us": 0.8,
    "weight_reread": 0.5,
}

DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "gemm": GEMM_DEFAULTS,
    "attention.prefill": ATTENTION_PREFILL_DEFAULTS,
    "attention.decode": ATTENTION_DECODE_DEFAULTS,
    "memory": MEMORY_DEFAULTS,
    "launch": LAUNCH_DEFAULTS,
    "sparse_gemm": SPARSE_GEMM_DEFAULTS,
}

UNCALIBRATED: Mapping[str, IntervalFit] = {
    "gemm": IntervalFit(by_regime={}, pair=0.15, outside=0.45),
    "attention.prefill": IntervalFit(by_regime={}, pair=0.2, outside=0.6),
    "attention.decode": IntervalFit(by_regime={}, pair=0.2, outside=0.6),
    "memory": IntervalFit(by_regime={}, pair=0.15, outside=0.3),
    "launch": IntervalFit(by_regime={}, pair=0.2, outside=0.5),
    "sparse_gemm": IntervalFit(by_regime={}, pair=0.2, outside=0.5),
}
"""80 % half-widths, natural log, where nothing was measured: stated guesses, wide on purpose."""

BORROWED_WIDENING = 1.5
"""A borrowed fit's intervals are widened by this factor: another board, clock and driver."""

DEFAULT_L2_OVER_DRAM = 2.0
"""Without a fit, L2 is taken for at least so many times as fast as memory: a stated guess. What
fits of other GPUs extrapolate to has a limit of its own, `transfer.borrowing.LEAST_L2_OVER_DRAM`."""

_PLAIN = ("bf16", "fp16")
_EIGHT_BIT = ("fp8", "int8", "fp8_static", "int8_static", "fp8_block")
LIBRARY_EIGHT_BIT = ("fp8", "int8", "fp8_static", "int8_static")
"""Fits of formats that the vendor's library multiplies; scales of blocks need kernels of an engine's own."""

_STAND_INS: Mapping[str, tuple[str, ...]] = {
    "bf16": ("fp16",),
    "fp16": ("bf16",),
    "tf32": (*_PLAIN, "fp32"),
    "fp32": ("tf32", *_PLAIN),
    "fp8": ("fp8_static", "int8", *_PLAIN),
    "fp8_static": ("fp8", "int8", *_PLAIN),
    "fp8_block": ("fp8", "fp8_static", "int8", *_PLAIN),
    "int8": ("int8_static", "fp8", "fp8_static", *_PLAIN),
    "int8_static": ("int8", "fp8_static", "fp8", *_PLAIN),
    "fp4": ("nvfp4", *_EIGHT_BIT, *_PLAIN),
    "nvfp4": ("mxfp4", *_EIGHT_BIT, *_PLAIN),
    "mxfp4": ("nvfp4", *_EIGHT_BIT, *_PLAIN),
    "mxfp4a8": ("nvfp4", "mxfp4", *_EIGHT_BIT, *_PLAIN),
    "w4a16": ("nvfp4a16", "mxfp4a16", "w8a16", *_PLAIN),
    "w8a16": ("w4a16", *_PLAIN),
    "nvfp4a16": ("mxfp4a16", "w4a16", "w8a16", *_PLAIN),
    "mxfp4a16": ("nvfp4a16", "w4a16", "w8a16", *_PLAIN),
}
"""Whose fit stands in for a number format that was not measured, nearest first. Formats of names that do not
stand here (a checkpoint's `w3a16`, `w4a8`) take those of what they multiply in, or of `w4a16`."""

_ALIKE = (frozenset(_PLAIN), frozenset({"fp8", "fp8_static"}), frozenset({"int8", "int8_static"}))
"""Of one width and rate, run by the same kernels: what is measured of one is known of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParameters:
    """Parameters of a kind that states them beside its cost: its name in fits, its defaults, and the interval
    around those.
    """

    name: str
    defaults: Mapping[str, float]
    uncalibrated: IntervalFit


@dataclass(frozen=True, slots=True, kw_only=True)
class KindParameters:
    """Parameters of one kind on one GPU, the fit they come from (None: defaults) and their interval.

    Parameters that the fit did not move keep their defaults. `exact` is False when the fit of a number format
    with other kernels stands in: `fitted_as` names the format; `widening` multiplies interval widths.
    """

    values: Mapping[str, float]
    fit: KindFit | None
    interval: IntervalFit
    exact: bool
    widening: float
    fitted_as: str | None = None


def kind_parameters(
    profile: HardwareProfile,
    kind: str | OwnParameters,
    dtype: str | None = None,
    stand_ins: tuple[str | None, ...] | None = None,
) -> KindParameters:
    """Look up `kind` ("gemm" with a format, "attention.decode", ...) in the profile's fit or the defaults.

    `stand_ins` name the formats whose fits will do where that of `dtype` is missing (None for all: the
    nearest; None among them: the kind without a format). What was measured of a format that runs the same
    kernels comes before what other GPUs say of this one.
    """
    own = _stated(kind) if isinstance(kind, str) else kind
    defaults = _defaults(profile, own.defaults)
    measured_as: tuple[str | None, ...] = (None,)
    if dtype is not None:
        measured_as = (dtype, *(_STAND_INS[dtype] if stand_ins is None else stand_ins))
    kinds = {} if profile.fit is None else profile.fit.kinds
    known = [
        (stand_in, fit)
        for stand_in in measured_as
        if (fit := kinds.get(own.name if stand_in is None else f"{own.name}.{stand_in}")) is not None
    ]
    if not known:
        return KindParameters(values=defaults, fit=None, interval=own.uncalibrated, exact=False, widening=1.0)
    measured = (each for each in known if _alike(each[0], dtype) and not each[1].transferred)
    stand_in, fit = next(measured, known[0])
    return KindParameters(
        values={**defaults, **fit.parameters},
        fit=fit,
        interval=claimed_interval(fit),
        exact=_alike(stand_in, dtype),
        widening=BORROWED_WIDENING if profile.calibration is Calibration.BORROWED else 1.0,
        fitted_as=stand_in,
    )


def of_library(parameters: KindParameters, precision: Precision, *, quantising: bool) -> KindParameters:
    """The parameters of a GEMM: in 8 bit, without quantising its activations, it is the library's."""
    bare = precision.quantises_activations and not quantising and parameters.fitted_as in LIBRARY_EIGHT_BIT
    if not bare or parameters.fit is None:
        return parameters
    return replace(parameters, interval=claimed_interval(parameters.fit, library=True))


def _alike(one: str | None, other: str | None) -> bool:
    return one == other or {one, other} in _ALIKE


def stand_ins_of(precision: Precision) -> tuple[str, ...]:
    """The formats whose fits stand in for a GEMM's own, nearest first."""
    known = _STAND_INS.get(precision.fitted_as)
    if known is not None:
        return known
    nearest = "w4a16" if precision.dequantises and precision.math is DType.BF16 else precision.math.value
    return (nearest, *_STAND_INS[nearest])


def _stated(kind: str) -> OwnParameters:
    return OwnParameters(name=kind, defaults=DEFAULTS[kind], uncalibrated=UNCALIBRATED[kind])


def _defaults(profile: HardwareProfile, values: Mapping[str, float]) -> Mapping[str, float]:
    """The defaults of a kind on this GPU: L2 at least DEFAULT_L2_OVER_DRAM times as fast as memory."""
    if "l2_bytes_per_clock_per_sm" not in values:
        return values
    least = DEFAULT_L2_OVER_DRAM * profile.memory.bandwidth_bytes_per_s / profile.chip.clocks_per_s
    return {**values, "l2_bytes_per_clock_per_sm": max(values["l2_bytes_per_clock_per_sm"], least)}
