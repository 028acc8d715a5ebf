"""A fit for a GPU that nobody has measured, from the pool of those that somebody has."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import HardwareProfile
from infersim.transfer.gpu_facts import facts_of
from infersim.transfer.kriging import Transferred, transfer
from infersim.transfer.pool import GpuFacts, Pool, PooledKind
from infersim.transfer.relations import multiplies, related_kind

FEWEST_GPUS = 2
"""One GPU alone says nothing of how GPUs differ."""

OTHER_VENDOR_WIDENING = 1.5
"""Of intervals where no pooled GPU is of the vendor: a stated guess, as none was ever left out."""

POOL_KERNELS = "vllm"
"""The engine whose kernels most pooled fits are of, and so the pool's word of a GPU."""

LIBRARY_EFFICIENCY = {"amd": 0.85}
"""Of what a vendor's GEMM library reaches, over what the pool of another vendor's GPUs expects of the chip.

From the best that AMD reaches with hipBLASLt ("Measuring Max-Achievable FLOPs, part 2", rocm.blogs.amd.com,
2025): MI300X 708 TFLOP/s in bf16 and 1273 in fp8, MI325X 843 and 1519. The pool, whose power law has their
clocks right (708 TFLOP/s is 94 % of the peak at the 1207 MHz that 750 W allow), expects 819, 1394, 970 and
1537: 0.86, 0.91, 0.87 and 0.99 of it are reached. Part of a kernel's time does not follow its efficiency.
"""

EFFICIENCY = "efficiency"

LEAST_WIDENING, MOST_WIDENING = 0.75, 3.0
"""Intervals are scaled by how far the datasheet is from the known ones, within these limits."""

DRAM_EFFICIENCY = "dram_efficiency"
MOST_PULLED_PER_SM = {"hopper": 27e9}
"""Bytes per second that an SM pulls from memory at most, by generation, where memory outruns the SMs.

From decode steps of Qwen2.5-14B that others measured (arXiv 2601.14910, github.com/zksainx/pipeweave
@55e0317): over whole steps an H20 reaches 49 % of its bandwidth, 25 GB/s for each SM, where an H100, whose
memory has no more to give, reaches 73 %. Some 7 % of a step goes to launches and small kernels, so that the
large ones pull 27. Data-centre Blackwell parts (54 GB/s of bandwidth for each SM) do not show it.
"""

SHOWN_EFFICIENCY = {"ampere-geforce": 0.92}
"""Share of the memory's bandwidth, less what error correction takes, that kernels reach on dies which no
pooled GPU is of: from decode steps of Qwen2.5-14B on an RTX A6000, of the same source. Its 28 GB of weights
and 6 or 8 GB of cache take 87 and 85 % of the bandwidth over whole steps, launches and host included."""

L2_RATE = "l2_bytes_per_clock_per_sm"
LEAST_L2_OVER_DRAM = 1.5
"""A transferred rate of L2 is at least so many times that of memory. It is less than a default assumes, since
fitted rates are what kernels reach, on some GPUs less than memory delivers; the pool's intervals were found
with it."""


def transferred_fit(
    profile: HardwareProfile, pool: Pool, *, without: Collection[str] = (), but: Collection[str] = ()
) -> Fit | None:
    """What the pool expects of `profile`'s GPU, from its datasheet; None where fewer than two GPUs are left.

    `without` names GPUs to leave out: the one itself, where it is among them; `but` kinds that are of no
    interest. `uncertainties` are the deviations of the pool's expectation, not of a fit.
    """
    known = {name: facts for name, facts in pool.gpus.items() if name not in without}
    target = facts_of(profile)
    told = [name for name, pooled in pool.kinds.items() if len(_behind(pooled) & known.keys()) >= FEWEST_GPUS]
    if not told:
        return None
    kinds = {
        name: _within_reach(transferred_kind(pool.kinds[name], target, known), profile)
        for name in told
        if name not in but
    }
    related = [
        relation
        for name, relation in pool.relations.items()
        if name not in but and relation.base in told and multiplies(profile, relation)
    ]
    for name in {relation.base for relation in related}:
        # A base that is well known does not make its formats so.
        wider = max(1.0, widening(pool.kinds[name], target, known))
        base = _base(pool.kinds[name], profile, known)
        for relation in related:
            if relation.base == name:
                kinds[relation.kind] = related_kind(relation, base, target, known, wider)
    return Fit(gpu=profile.name, kinds=kinds, provenance={"transferred_from": sorted(known)})


def _behind(pooled: PooledKind) -> set[str]:
    return {gpu for parameter in pooled.parameters.values() for gpu in parameter.found}


def _base(pooled: PooledKind, profile: HardwareProfile, known: Mapping[str, GpuFacts]) -> Mapping[str, float]:
    """A base's values on the GPU: as the joint fit found them, else what others say."""
    if profile.name in _behind(pooled):
        return {name: parameter.found[profile.name] for name, parameter in pooled.parameters.items()}
    return _within_reach(transferred_kind(pooled, facts_of(profile), known), profile).parameters


def transferred_kind(pooled: PooledKind, target: GpuFacts, known: Mapping[str, GpuFacts]) -> KindFit:
    """What the `known` GPUs of the pool say of one kind on `target`."""
    found = {name: transfer(parameter, target, known) for name, parameter in pooled.parameters.items()}
    values = {name: each.value for name, each in found.items()}
    if EFFICIENCY in values and pooled.kind.startswith("gemm"):
        values[EFFICIENCY] *= library_efficiency(target, known)
    if DRAM_EFFICIENCY in values and target.generation in SHOWN_EFFICIENCY.keys() - _generations(known):
        values[DRAM_EFFICIENCY] = SHOWN_EFFICIENCY[target.generation] * target.memory_share
    if L2_RATE in values:
        values[L2_RATE] = max(values[L2_RATE], LEAST_L2_OVER_DRAM * target.memory_bytes_per_clock_per_sm)
    return KindFit(
        kind=pooled.kind,
        parameters=values,
        uncertainties={
            name: each.deviation * (values[name] if pooled.parameters[name].log else 1.0)
            for name, each in found.items()
        },
        at_bound=(),
        residuals=(),
        interval=_widened(pooled.interval, widening(pooled, target, known)),
        ranges=pooled.ranges,
        rows=0,
        weight_copies=pooled.weight_copies,
        held_out=pooled.left_out,
        transferred=True,
    )


def _generations(known: Mapping[str, GpuFacts]) -> set[str]:
    return {facts.generation for facts in known.values()}


def library_efficiency(target: GpuFacts, known: Mapping[str, GpuFacts]) -> float:
    """`LIBRARY_EFFICIENCY` of a vendor that no known GPU is of; 1 for all others."""
    if target.vendor in {facts.vendor for facts in known.values()}:
        return 1.0
    return LIBRARY_EFFICIENCY.get(target.vendor, 1.0)


def _within_reach(kind: KindFit, profile: HardwareProfile) -> KindFit:
    """The kind with no more of the memory's bandwidth than the SMs can pull."""
    efficiency = kind.parameters.get(DRAM_EFFICIENCY, 0.0)
    if efficiency <= (reachable := reachable_bandwidth(profile)):
        return kind
    return replace(kind, parameters={**kind.parameters, DRAM_EFFICIENCY: reachable})


def reachable_bandwidth(profile: HardwareProfile) -> float:
    """Share of the memory's bandwidth that the SMs together can pull; inf where no limit is known."""
    most = MOST_PULLED_PER_SM.get(profile.generation, math.inf)
    return most * profile.chip.sm_count / profile.memory.bandwidth_bytes_per_s


def widening(pooled: PooledKind, target: GpuFacts, known: Mapping[str, GpuFacts]) -> float:
    """How much wider intervals are than those of pooled GPUs when each is predicted from the others."""
    found = [transfer(parameter, target, known) for parameter in pooled.parameters.values()]
    ratio = mean_deviation(found) / pooled.deviation
    vendors = {facts.vendor for facts in known.values()}
    factor = 1.0 if target.vendor in vendors else OTHER_VENDOR_WIDENING
    return float(np.clip(ratio, LEAST_WIDENING, MOST_WIDENING)) * factor


def mean_deviation(found: Sequence[Transferred]) -> float:
    """Root mean square deviation over parameters."""
    return math.sqrt(sum(each.deviation**2 for each in found) / len(found))


def _widened(interval: IntervalFit, factor: float) -> IntervalFit:
    return IntervalFit(
        by_regime={name: width * factor for name, width in interval.by_regime.items()},
        pair=interval.pair * factor,
        outside=interval.outside * factor,
    )


def reliance(profile: HardwareProfile, pool: Pool, kind: str) -> dict[str, float]:
    """Share of each pooled GPU, but the profile's own, in what is transferred of a kind: they sum to 1.

    Shares are of the absolute weights of the GPUs' parameters, over all parameters.
    """
    known = {name: facts for name, facts in pool.gpus.items() if name != profile.name}
    target, totals = facts_of(profile), dict.fromkeys(known, 0.0)
    base = pool.relations[kind].base if kind in pool.relations else kind
    for parameter in pool.kinds[base].parameters.values():
        for name, weight in transfer(parameter, target, known).weights.items():
            totals[name] += abs(weight)
    whole = sum(totals.values())
    return {name: total / whole for name, total in totals.items() if total > 0}
