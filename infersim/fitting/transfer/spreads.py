"""How each parameter follows the datasheet, and how far it is taken to vary between GPUs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.transfer.pool import Law, Spread

LATENCIES = (
    "chain_us",
    "unsplit_chain_us",
    "prologue_us",
    "launch_us",
    "split_k_us",
    "gemv_launch_us",
    "block_us",
    "split_us",
    "sparse_launch_us",
)
"""Latencies of the die: so many cycles, on whatever clock."""

STEADY_PARAMETERS = ("efficiency", "chain_us", "dram_efficiency", "split_k_us", "tile_overhead")
"""Of GEMMs: fractions of the datasheet, and latencies in cycles, that differ little between GPUs."""

GENERATION_PARAMETERS = ("query_tile", "softmax_per_clock_per_sm", "unsplit_alone")
"""Of attention, what kernels of a generation have in common: queries in a tile, exponentials in the time of
its products, whether caches of lone heads are split."""

TYPICAL_THROTTLE = 0.1
TYPICAL_PREFILL_L2 = 24.0
"""Bytes per clock and SM where memory delivers 9 (`gpu_facts.TYPICAL_MEMORY_BYTES`)."""

TILE_SHARE = 1 / 3
"""Offsets of tiles vary this much of what parameters in log do: they are logarithms of a small effect."""

GENERATION_SHARE = 0.35
"""Share of a GPU's own variance that its generation has in common: a guess.

Two pooled GPUs share one (L40S, RTX 4090), and their samples hardly tell: the evidence of the joint fit
(normal about its maximum) is the same within 0.3 nats from a share of 0 to one of 0.9 in bf16, and falls by
1.8 from 0 to 0.8 in fp8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Law, spread and, where the law needs another than the default, typical value of a parameter."""

    law: Law
    spread: Spread
    typical: float | None = None


def _spread(*, shared: float, own: float, rate: float, memory: float) -> Spread:
    return Spread(
        shared=shared,
        own=own * (1 - GENERATION_SHARE) ** 0.5,
        generation=own * GENERATION_SHARE**0.5,
        rate=rate,
        memory=memory,
    )


GEMM = _spread(shared=1.0, own=0.2, rate=0.3, memory=0.15)
STEADY = _spread(shared=1.0, own=0.2, rate=0.1, memory=0.05)
ATTENTION = _spread(shared=1.0, own=0.05, rate=0.1, memory=0.05)
"""Few, coarse numbers, chosen on the five GPUs whose measurements are published, leaving each out.

A choice on the same GPUs that are scored flatters the scores a little: other choices that were tried
gave means up to two points higher.
"""

KERNEL_CHOICE = _spread(shared=1.0, own=0.3, rate=0.5, memory=0.05)
"""Of what kernels adapt to the width of tensor cores (`GENERATION_PARAMETERS`)."""

RESIDENCY = _spread(shared=1.0, own=0.2, rate=0.0, memory=0.8)
"""Of timing loops: an L2 in two halves, beside fast memory, keeps far less than one that all SMs reach."""

THROTTLE = _spread(shared=0.15, own=0.15, rate=0.0, memory=0.0)
"""The law of power is held on to: large GEMMs alone cannot tell it from the efficiency."""


EXCHANGE = Spread(shared=1.0, own=0.1, generation=0.1, rate=0.0, memory=0.0, links=0.15)
"""Of exchanges: shares of the links' bandwidth and latencies of libraries, whatever the die multiplies.

No two measured GPUs have links of one generation: that such GPUs share most is a guess.
"""


EXPERTS = Spread(shared=0.12, own=0.2, generation=0.46, rate=0.0, memory=0.0)
"""Of expert layers: an engine runs kernels of another design on each generation, and one design tells little
of another. Chosen on five GPUs, leaving each out; what a generation has in common is a guess."""

KNOWN_DESIGNS = {
    "experts.bf16": Spread(shared=1.0, own=0.2, generation=0.2, rate=0.0, memory=0.0, kernels=0.6)
}
"""Of formats where a GPU's generation tells the design (`gpu_facts.expert_kernels`).

GPUs of one design share most, and each design counts once: Triton's three GPUs do not outvote the others. The
mean is left to the known GPUs: typical values are of all five, so that a small `shared` tells a GPU that is
left out of itself. With medians of the others in their place, GPUs left out are off by 21.2 % on the mean
(22.0 and 21.0 with `kernels` of 0.4 and 1.0), without `kernels` by 22.9, with `EXPERTS` by 24.2.
In fp8 designs tell nothing: Hopper's CUTLASS kernels take five times as long as memory does, those of other
GPUs do not.
"""

EXPERTS_RESIDENCY = Spread(shared=0.3, own=0.2, generation=0.3, rate=0.0, memory=0.8)

TYPICAL_ROWS = 6.0
"""Bytes of rows per clock and SM where memory delivers 9: they stream through memory and L2 alike."""


def _of_experts(kind: str, name: str, *, log: bool) -> Prior:
    """The prior of a parameter of expert layers."""
    own = KNOWN_DESIGNS.get(kind, EXPERTS)
    if name == "throttle":
        return Prior(law=Law.POWER, spread=THROTTLE, typical=TYPICAL_THROTTLE)
    if name == "dram_efficiency":
        return Prior(law=Law.SHARE, spread=own)
    if name == "l2_residency":
        return Prior(law=Law.CONSTANT, spread=EXPERTS_RESIDENCY)
    if name == "row_bytes_per_clock_per_sm":
        return Prior(law=Law.MEMORY, spread=own, typical=TYPICAL_ROWS)
    spread = own if log else _scaled(own, TILE_SHARE)
    return Prior(law=Law.CYCLES if name in LATENCIES else Law.CONSTANT, spread=spread)


def prior_of(kind: str, name: str, *, log: bool) -> Prior:
    """The prior of a parameter of a kind ("gemm.bf16")."""
    if kind in COLLECTIVE_PARAMETERS:
        return Prior(law=Law.CONSTANT, spread=EXCHANGE)
    if kind.startswith("experts."):
        return _of_experts(kind, name, log=log)
    family, of_prefill = kind.partition(".")[0], kind.startswith("attention.prefill")
    if name == "throttle":
        return Prior(law=Law.POWER, spread=THROTTLE, typical=TYPICAL_THROTTLE)
    if name == "dram_efficiency":
        return Prior(law=Law.SHARE, spread=ATTENTION if family == "attention" else STEADY)
    if name == "l2_residency" and not of_prefill:
        return Prior(law=Law.CONSTANT, spread=RESIDENCY)
    if of_prefill and name == "l2_bytes_per_clock_per_sm":
        return Prior(law=Law.MEMORY, spread=ATTENTION, typical=TYPICAL_PREFILL_L2)
    if family == "attention" and name in GENERATION_PARAMETERS:
        return Prior(law=Law.CONSTANT, spread=KERNEL_CHOICE)
    if not log:
        return Prior(law=Law.CONSTANT, spread=_scaled(STEADY, TILE_SHARE))
    steady = STEADY if name in STEADY_PARAMETERS else GEMM
    spread = ATTENTION if family == "attention" else steady
    return Prior(law=Law.CYCLES if name in LATENCIES else Law.CONSTANT, spread=spread)


def _scaled(spread: Spread, factor: float) -> Spread:
    return replace(
        spread,
        shared=spread.shared * factor,
        own=spread.own * factor,
        generation=spread.generation * factor,
        rate=spread.rate * factor,
        memory=spread.memory * factor,
        kernels=spread.kernels * factor,
    )
