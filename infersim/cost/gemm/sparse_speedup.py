"""A 2:4 GEMM from the dense one of the same GPU and format: the quotient that a relation gives.

The tile model times a dense and a 2:4 kernel, both with the relation's parameters, and the dense kernel as it
is predicted, whatever fit and format it comes from, is divided by their quotient. So a relation holds with
any dense kernel, and what quantises activations costs the same beside either.

No table has fewer than 64 tokens. Libraries pad a few tokens to 8 to 32 rows and choose badly among their
kernels: PyTorch 2.1 takes 0.196 ms for one token and 4096 x 4096, dense 0.022 (pytorch issue 111339). Of
whole models at batch 1, Llama-2-7B makes tokens 12 % slower on an RTX 4090 (pytorch/tutorials issue 3505),
10 % faster on an A100 with the best kernel (pytorch issue 115077) and 13 % faster there elsewhere (arXiv
2310.06694). So a few tokens gain less than their bytes, and the interval reaches from a tenth of the dense
speed to the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from infersim.cost.assembling import assemble, exposed_launch_s
from infersim.cost.floor import gemm_activation_bytes, gemm_flop, gemm_weight_bytes
from infersim.cost.gemm.limiter import limiter_codes
from infersim.cost.gemm.sparse import LENGTHENING
from infersim.cost.gemm.sparse_relations import PARAMETERS, Relation, is_measured, sparse_relation
from infersim.cost.gemm.tiles import tile_times
from infersim.cost.machine import F32, Machine, Operands
from infersim.cost.parameters import GEMM_DEFAULTS, KindParameters
from infersim.cost.regimes import DECODE_MAX_M, GEMM_REGIMES, gemm_regime, regime_widths
from infersim.domain.arrays import Array, as_array
from infersim.domain.costs import KernelCost
from infersim.domain.fit import IntervalFit
from infersim.domain.profile import MEGA, HardwareProfile
from infersim.domain.shapes import Gemm

TABLES_MIN_M = 64
"""Fewest tokens in the tables behind the relations."""

FEW_TOKENS_SHARE = 0.72
"""Of the gain that a relation gives, what libraries reach with DECODE_MAX_M tokens and fewer: between those
models. A token of Llama-2-7B then gains 1.11 on A100 and 1.17 on RTX 4090."""

FEW_TOKENS_SPREAD = 2.4
"""80 % half-width of the log of that gain: it reaches the published tenth."""

SPREADS: Mapping[bool, Mapping[float, Mapping[str, float]]] = {
    True: {
        2.0: {"mid small": 0.24, "prefill small": 0.13, "mid large": 0.19, "prefill large": 0.09},
        1.0: {"mid small": 0.25, "prefill small": 0.11, "mid large": 0.25, "prefill large": 0.09},
    },
    False: {
        2.0: {"mid small": 0.18, "prefill small": 0.13, "mid large": 0.24, "prefill large": 0.26},
        1.0: {"mid small": 0.30, "prefill small": 0.15, "mid large": 0.38, "prefill large": 0.32},
    },
}
"""80 % half-widths of the log of a 2:4 speedup, by whether the part was measured and by bytes of a value: the
quantiles of |log error| of whole models, and of whole GPUs, that were left out."""

_NO_FIT = KindParameters(
    values={}, fit=None, interval=IntervalFit(by_regime={}, pair=0.0, outside=0.0), exact=False, widening=1.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The GPU, and the operands of both kernels along the K that each walks."""

    machine: Machine
    dense: Operands
    sparse: Operands
    lengthened: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Dense over 2:4 time, the relation's own dense time, and what bounds the 2:4 kernel."""

    speedup: Array
    dense_us: Array
    limiter: npt.NDArray[np.int8]


def relation_gain(relation: Relation, sides: Sides, m: F32, n: F32, k: F32) -> Gain:
    """What the relation gives for shapes in 1-D arrays, launches included."""
    said = {name: getattr(relation, name) for name in PARAMETERS}
    values = {**GEMM_DEFAULTS, **said, "gemv_launch_us": float("inf")}
    machine = replace(sides.machine, flop_per_us_per_sm=sides.machine.flop_per_us_per_sm * relation.rate)
    operands = replace(sides.sparse, weight_reread=relation.weight_reread, tiles_per_sm=relation.tiles_per_sm)
    start = {**values, "launch_us": relation.launch_us + relation.sparse_launch_us}
    longer = k * np.float32(sides.lengthened)
    dense = tile_times(values, sides.machine, sides.dense, m, n, k)
    sparse = tile_times(start, machine, operands, m, n, longer)
    dense_us = (dense.total_us + np.float32(values["launch_us"])).astype(np.float64)
    return Gain(
        speedup=dense_us / (sparse.total_us + np.float32(start["launch_us"])),
        dense_us=dense_us,
        limiter=limiter_codes(start, machine, operands, sparse, m, n, longer),
    )


def few_tokens(m: Array) -> Array:
    """1 for DECODE_MAX_M tokens and fewer, 0 from TABLES_MIN_M on, linear in the logarithm between."""
    span = np.log(TABLES_MIN_M / DECODE_MAX_M)
    few: Array = np.clip(np.log(TABLES_MIN_M / np.maximum(m, 1.0)) / span, 0.0, 1.0)
    return few


def with_sparse_weights(
    shape: Gemm,
    dense: KernelCost,
    act_quant_s: Array,
    sides: Sides,
    profile: HardwareProfile,
    *,
    cuda_graph: bool,
) -> KernelCost:
    """The cost of `shape` from that of the dense GEMM in a graph without quantising, which takes
    `act_quant_s` beside either.
    """
    math = shape.precision.math
    relation = _of_format(sparse_relation(profile, math), shape)
    m, n, k = np.broadcast_arrays(*(as_array(d) for d in (shape.m, shape.n, shape.k)))
    flat = tuple(side.ravel().astype(np.float32) for side in (m, n, k))
    gain = relation_gain(relation, sides, *flat)
    few = np.zeros(m.shape) if shape.precision.dequantises else few_tokens(m)
    speedup = gain.speedup.reshape(m.shape) * FEW_TOKENS_SHARE**few
    total_s = (dense.kernel_s + dense.launch_s) / speedup
    kernel_s = np.maximum(total_s - dense.launch_s, 0.0) + act_quant_s
    spread = _spread(relation, gain, sides, shape, profile, flat).reshape(m.shape)
    spread = np.maximum(spread, few * FEW_TOKENS_SPREAD)
    weight_bytes, flop = gemm_weight_bytes(shape), gemm_flop(m, n, k)
    factor = profile.matrix_rate(math).sparse_factor / sides.lengthened
    cost = assemble(
        profile,
        _NO_FIT,
        error_group="gemm",
        flop=flop * 0.5 * sides.lengthened,
        peak_flop_per_s=dense.peak_flop_per_s,
        matrix_floor_s=flop / (dense.peak_flop_per_s * factor),
        model_bytes=weight_bytes if shape.weight_copies is None else np.zeros_like(weight_bytes),
        kernel_bytes=weight_bytes + gemm_activation_bytes(shape),
        kernel_s=kernel_s,
        launch_s=exposed_launch_s(
            profile, kernel_s, float(dense.launch_s.flat[0]) * MEGA, 1, cuda_graph=cuda_graph
        ),
        limiter=gain.limiter.reshape(m.shape),
        log_half_width=np.hypot(dense.log_half_width, spread),
        in_range=np.zeros(m.shape, dtype=np.bool_),
    )
    return replace(cost, pair_log_half_width=spread)


def _of_format(relation: Relation, shape: Gemm) -> Relation:
    """Weight-only kernels are the dense ones with fewer bytes (Sparse-Marlin, arXiv 2408.11743)."""
    if not shape.precision.dequantises:
        return relation
    return replace(relation, sparse_launch_us=0.0, weight_reread=0.0, other=None)


def _spread(
    relation: Relation,
    gain: Gain,
    sides: Sides,
    shape: Gemm,
    profile: HardwareProfile,
    flat: tuple[F32, ...],
) -> Array:
    """80 % half-width of the log speedup: the relation's error, and how far another library's kernel is."""
    math = shape.precision.math
    known = SPREADS[is_measured(profile, math)][min(max(math.bytes, 1.0), 2.0)]
    by_regime = regime_widths(known, GEMM_REGIMES, max(known.values()))
    m, n, k = flat
    spread = by_regime[gemm_regime(m, n, k)]
    if relation.other is None:
        return spread
    other = relation_gain(relation.other, sides, m, n, k)
    apart = np.log(gain.speedup / other.speedup)
    return np.hypot(spread, np.where(m < relation.other_below, apart, 0.0))


def sides_of(machine: Machine, dense: Operands, sparse: Operands, shape: Gemm) -> Sides:
    """Both kernels of a shape."""
    return Sides(machine=machine, dense=dense, sparse=sparse, lengthened=LENGTHENING[shape.weights])
