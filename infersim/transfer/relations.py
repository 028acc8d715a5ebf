"""A number format that few GPUs were measured in, by what sets it apart from 16 bit on those.

Fits of one format on two GPUs say too little of how GPUs differ; what they do say is how the format's kernels
differ from the plain ones. A parameter's offset from that of the base is transferred as other parameters are,
by kriging: GPUs whose datasheets are alike, and those of one generation, have most in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from infersim.domain.dtypes import PRECISIONS
from infersim.domain.fit import IntervalFit, KindFit
from infersim.domain.profile import HardwareProfile
from infersim.transfer.kriging import Transferred, transfer
from infersim.transfer.pool import FormatRelation, GpuFacts, Law, PooledParameter, RelatedParameter, Spread

MOST_OFFSET = 4.0
"""Of a parameter's coordinate: a factor of 55."""

KERNEL_SPREAD = Spread(shared=2.0, own=0.3, generation=0.4, rate=0.6, memory=0.15)
QUANTISE_SPREAD = Spread(shared=2.0, own=0.6, generation=0.4, rate=0.4, memory=0.0)
ONE_QUANTISER_SPREAD = Spread(shared=2.0, own=0.15, generation=0.1, rate=0.1, memory=0.0)
DIE_SPREAD = Spread(shared=0.1, own=0.05, generation=0.0, rate=0.0, memory=0.0)
"""Of offsets: of what kernels are made, of kernels that quantise activations, which engines bring in any
quality, of those that one engine runs alike on all GPUs, and of what the die and its timing loops are,
whatever the format.

Few, coarse numbers, chosen on five GPUs' published tables, leaving each out, which flatters the errors that
are found so: with a `rate` of kernels from 0.5 to 0.7 they are 18.1 to 18.7 % on the mean.
"""

ONE_QUANTISER = frozenset({"gemm.fp8_static", "gemm.nvfp4"})
"""Formats whose activations one kernel quantises on all GPUs that were measured: a pass with a scale that is
known (TensorRT-LLM), and vLLM's of nvfp4. Block-scaled fp8 has other paths by generation."""

FEWEST_FOR_MEDIAN = 3

FAR_FROM_MEDIAN = 1.5
"""Median distances from the median of three GPUs or more at which an offset counts at most: a kernel that an
engine brings to one generation alone may be any times slower, and says little of another's."""

OF_THE_DIE = frozenset(
    {
        "l2_residency",
        "residency_sharpness",
        "dram_efficiency",
        "throttle",
        "wave_fill",
        "chain_us",
        "epilogue_bytes_per_clock_per_sm",
    }
)
TILE_SHARE = 1 / 15
"""Offsets of tiles vary this much of what others do: they are logarithms of a small effect."""


def offset_of(name: str, kind: str, *, log: bool, found: Mapping[str, float]) -> PooledParameter:
    """The offset of a parameter of the kind, on the GPUs where it was found."""
    spread = KERNEL_SPREAD
    if name in OF_THE_DIE:
        spread = DIE_SPREAD
    elif name.startswith("act_quant"):
        spread = ONE_QUANTISER_SPREAD if kind in ONE_QUANTISER else QUANTISE_SPREAD
    return PooledParameter(
        law=Law.CONSTANT,
        log=False,
        low=-MOST_OFFSET,
        high=MOST_OFFSET,
        typical=0.0,
        spread=spread if log else _scaled(spread),
        found=found,
    )


def _scaled(spread: Spread) -> Spread:
    return replace(
        spread,
        shared=spread.shared * TILE_SHARE,
        own=spread.own * TILE_SHARE,
        generation=spread.generation * TILE_SHARE,
        rate=spread.rate * TILE_SHARE,
        memory=spread.memory * TILE_SHARE,
    )


def multiplies(profile: HardwareProfile, relation: FormatRelation) -> bool:
    """Whether the GPU has units for what the format's kernels multiply in."""
    precision = PRECISIONS.get(relation.kind.partition(".")[2])
    return precision is not None and precision.math in profile.matrix


def moved(
    parameters: Mapping[str, RelatedParameter], base: Mapping[str, float], offsets: Mapping[str, float]
) -> dict[str, float]:
    """The format's parameters on a GPU whose base kind has these values, moved by offsets."""
    values = {}
    for name, each in parameters.items():
        start = base.get(name, each.typical)
        value = start * math.exp(offsets[name]) if each.log else start + offsets[name]
        values[name] = min(max(value, each.low), each.high)
    return values


def transferred_offsets(
    relation: FormatRelation, target: GpuFacts, known: Mapping[str, GpuFacts]
) -> dict[str, Transferred]:
    """The offsets on `target` from the GPUs in `known` where they were found."""
    return {
        name: _transferred_offset(relation.kind, name, each, target, known)
        for name, each in relation.parameters.items()
    }


def _transferred_offset(
    kind: str, name: str, each: RelatedParameter, target: GpuFacts, known: Mapping[str, GpuFacts]
) -> Transferred:
    """One offset, within those found and 0: what goes along with the datasheet is not drawn beyond them."""
    found = near_their_median({gpu: value for gpu, value in each.offsets.items() if gpu in known})
    expected = transfer(offset_of(name, kind, log=each.log, found=found), target, known)
    values = (0.0, *found.values())
    return replace(expected, value=min(max(expected.value, min(values)), max(values)))


def near_their_median(offsets: Mapping[str, float]) -> dict[str, float]:
    """Offsets, of three GPUs or more none farther from their median than FAR_FROM_MEDIAN allows."""
    if len(offsets) < FEWEST_FOR_MEDIAN:
        return dict(offsets)
    middle = median(offsets.values())
    reach = FAR_FROM_MEDIAN * median(abs(value - middle) for value in offsets.values())
    return {gpu: min(max(value, middle - reach), middle + reach) for gpu, value in offsets.items()}


def related_kind(
    relation: FormatRelation,
    base: Mapping[str, float],
    target: GpuFacts,
    known: Mapping[str, GpuFacts],
    widening: float,
) -> KindFit:
    """The format on a GPU whose base kind has these values, intervals `widening` times the relation's."""
    offsets = transferred_offsets(relation, target, known)
    values = moved(relation.parameters, base, {name: each.value for name, each in offsets.items()})
    interval = relation.interval
    return KindFit(
        kind=relation.kind,
        parameters=values,
        uncertainties={
            name: offsets[name].deviation * (values[name] if each.log else 1.0)
            for name, each in relation.parameters.items()
        },
        at_bound=(),
        residuals=(),
        interval=IntervalFit(
            by_regime={name: width * widening for name, width in interval.by_regime.items()},
            pair=interval.pair * widening,
            outside=interval.outside * widening,
        ),
        ranges=relation.ranges,
        rows=0,
        weight_copies=relation.weight_copies,
        held_out=relation.left_out,
        transferred=True,
    )
