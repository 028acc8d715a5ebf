"""What the fits of several GPUs say together: the prior of every GPU that nobody has measured.

A parameter's coordinate is its natural logarithm (or the value itself) less what its law says of the GPU, so
that GPUs of different clocks, power limits and memories can be compared. Over GPUs coordinates are jointly
normal: `transfer.kriging` tells how they are related.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from infersim.domain.fit import IntervalFit


class Law(StrEnum):
    """How a parameter follows the datasheet, before anything is learned.

    - `CONSTANT`: not at all.
    - `CYCLES`: a latency in microseconds takes so many cycles of the highest clock.
    - `MEMORY`: a rate per clock and SM goes with that of the memory.
    - `POWER`: the slowdown that the power limit forces on sustained multiplying.
    - `SHARE`: a share of the memory's bandwidth, of what error correction leaves of it.
    """

    CONSTANT = "constant"
    CYCLES = "cycles"
    MEMORY = "memory"
    POWER = "power"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """What parameters may depend on: 16-bit FLOP and memory bytes for each clock and SM; clock in MHz.

    `power_ratio` is the power that multiplying at the datasheet's rate would take over the power limit;
    `memory_share` what error correction leaves of the memory's bandwidth. `links` is the generation of what
    connects it to others ("nvlink 4"), empty where nobody says.
    """

    vendor: str
    generation: str
    clock_max_mhz: float
    flop_per_clock_per_sm: float
    memory_bytes_per_clock_per_sm: float
    power_ratio: float
    memory_share: float = 1.0
    links: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations of a coordinate: of its mean over all GPUs around the typical value (`shared`),
    of a generation (`generation`), of a single GPU (`own`), along a standardised log of the rate of
    multiplying (`rate`) and of memory (`memory`), each per clock and SM, of those whose links are of one
    generation (`links`), and of those on which engines run expert layers of one design (`kernels`).
    """

    shared: float
    own: float
    generation: float
    rate: float
    memory: float
    links: float = 0.0
    kernels: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledParameter:
    """One parameter over the pooled GPUs.

    `typical` is the value where the law says nothing more, `found` the value on each GPU, as the joint fit
    has it; both, `low` and `high` are in the parameter's own unit. `log`: its coordinate is logarithmic.
    """

    law: Law
    log: bool
    low: float
    high: float
    typical: float
    spread: Spread
    found: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledKind:
    """One kind of kernel: its parameters, and how far predictions of a GPU from the others were off.

    `interval` are 80 % half-widths from leaving each GPU out in turn, and `deviation` the root mean square
    deviation of coordinates then. `ranges` were sampled on every GPU.
    """

    kind: str
    parameters: Mapping[str, PooledParameter]
    interval: IntervalFit
    deviation: float
    ranges: Mapping[str, tuple[float, float]]
    weight_copies: int | None = None
    left_out: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedParameter:
    """A parameter of a format: by how much it is off the base's on each GPU, in its logarithm where `log`.

    `typical` is taken for a base without it. It, `low` and `high` are in the parameter's own unit.
    """

    log: bool
    low: float
    high: float
    typical: float
    offsets: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRelation:
    """A number format's kind, and the pooled one that it is related to.

    `interval` are 80 % half-widths from predicting each GPU from the others; `ranges` were sampled on any of
    them.
    """

    kind: str
    base: str
    parameters: Mapping[str, RelatedParameter]
    interval: IntervalFit
    ranges: Mapping[str, tuple[float, float]]
    weight_copies: int | None = None
    left_out: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All pooled kinds, the facts of the GPUs behind them, and where their fits came from.

    `relations` say of number formats, by kind, what sets them apart from a pooled one.
    """

    gpus: Mapping[str, GpuFacts]
    kinds: Mapping[str, PooledKind]
    provenance: Mapping[str, Any]
    relations: Mapping[str, FormatRelation] = field(default_factory=dict)
