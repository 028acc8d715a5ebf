"""How far one table's word is from other people's measurements: the spread between those who measure.

A fit's own intervals cover the table it was fitted to. The same kernel on the same GPU, measured by others,
differs more: engines choose other kernels, libraries change with their versions, boards and clocks differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from infersim.domain.fit import Claim, Fit, IntervalFit, KindFit

HANDS = 1.6
"""Times its own 80 % half-widths that the fit of a library's GEMM claims of other people's measurements.

Where a fit misses more, libraries choose between kernels that differ, and so do those who measure: errors on
tables of other hands are 1.0 to 1.7 times the fit's own at their 80 % quantile, whatever those are, 1.34 in
the root mean square over sources. Vidur (A100, torch 2.1), LLMServingSim (RTX PRO 6000, vLLM 0.19),
SlideSparse (B200, loops of cuBLASLt), TensorRT-LLM 1.3 and SGLang 0.5 (B200, H100, L40S, RTX PRO 6000), XLA
(H100); rounded up, as sources are few. `bench/strangers.py --estimate` finds it anew.
"""

LIBRARY_GEMM = {
    "decode small": 0.11,
    "mid small": 0.12,
    "prefill small": 0.14,
    "decode large": 0.12,
    "mid large": 0.10,
    "prefill large": 0.085,
}
"""80 % half-widths, natural log, that other hands add in quadrature to fits of GPUs that were measured, on
the same tables: what versions and boards differ by, where no table says more."""

ENGINE_GEMM = {
    "decode small": 0.90,
    "mid small": 0.75,
    "prefill small": 0.65,
    "decode large": 0.68,
    "mid large": 0.40,
    "prefill large": 0.24,
}
"""The same for GEMMs of other formats, whose kernels and quantisation each engine brings itself: in fp8 up to
twice as fast or slow as another's at few tokens. Of each table and regime, the 80 % quantile of the errors
less, in quadrature, what the fit's own interval says; the root mean square over a source's GPUs, then over
the sources. From fp8 of TensorRT-LLM and SGLang on GPUs whose fits are of other engines; of narrower formats
no table compares engines, and this stands for them. Without quantisation int8 and fp8 are the library's."""

ENGINE_ATTENTION = {
    "attention.prefill": {"short": 0.41, "long": 0.29},
    "attention.decode": {"short": 0.55, "long": 0.34},
}
"""The same for attention of TensorRT-LLM and SGLang against that of vLLM."""

EXCHANGE_VERSIONS = {
    "nvlink": {"short": 0.12, "middle": 0.12, "long": 0.10},
    "pcie": {"short": 0.5, "middle": 0.5, "long": 0.5},
}
"""The same for exchanges between GPUs, by what connects them: versions of NCCL, vLLM and TensorRT-LLM on one
GPU (H100, B200, RTX PRO 6000), 80 % quantiles. Over PCIe it is rather the nodes: where GPUs may not read each
other's memory, two of them take 2.5 to 4 times as long (two tables of RTX PRO 6000); L40S tables agree."""

EXCHANGE_ENGINES = {
    "nvlink": {"short": 0.42, "middle": 0.55, "long": 0.14},
    "pcie": {"short": 0.6, "middle": 0.65, "long": 0.55},
}
"""The same for an all-reduce by an engine's own kernels: TensorRT-LLM's against vLLM's on five GPUs."""

ENGINE_EXPERTS, VERSIONS_EXPERTS = 0.3, 0.12
"""The same for expert layers, in all regimes: stated guesses, as no table compares engines. Designs of
kernels that one engine runs for one format on one GPU differ by as much (triton and CUTLASS on H100 in
block-wise fp8); versions and boards, like those of libraries."""

LIBRARY_PAIR, ENGINE_PAIR, ATTENTION_PAIR = 0.05, 0.14, 0.21
"""Half-widths of the log ratio of two related kernels, likewise: most of what is added, both share."""

SIXTEEN_BIT = ("bf16", "fp16")
"""GEMMs for which all engines call the vendor's library."""


def claimed_interval(kind: KindFit, *, library: bool = False) -> IntervalFit:
    """The intervals of a kind for whom its fit speaks: its own, and the spread between those who measure.

    `library`: of GEMMs in 8 bit without what quantises their activations.
    """
    if kind.claim in (Claim.SETUP, Claim.HANDS):
        return kind.interval
    if library or _is_of_library(kind.kind, kind.claim):
        return _of_unmeasured(kind, library=library) if kind.transferred else _of_hands(kind.interval)
    spread = spread_between(kind.kind, kind.claim)
    return kind.interval if spread is None else _in_quadrature(kind.interval, spread)


def _is_of_library(kind: str, claim: Claim) -> bool:
    """Whether all engines call the vendor's library, or the engine is named: versions and boards are left."""
    family, _, dtype = kind.partition(".")
    return family == "gemm" and (claim is Claim.ENGINE or dtype in SIXTEEN_BIT)


def _of_hands(own: IntervalFit) -> IntervalFit:
    return IntervalFit(
        by_regime={name: width * HANDS for name, width in own.by_regime.items()},
        pair=float(np.hypot(own.pair, LIBRARY_PAIR)),
        outside=own.outside * HANDS,
    )


def _of_unmeasured(kind: KindFit, *, library: bool) -> IntervalFit:
    """Of how GPUs differ, each in the pool by another board and version: in 16 bit hands add nothing to that.

    Each GPU left out, intervals of the others' word alone hold 89 % of the rows of 15 strangers' tables on
    the mean of sources, and 83 % of the pairs. A card shares its error over its rows: on single tables they
    hold 61 to 99 %. In 8 bit they hold 72 % (four tables); formats of which engines bring kernels are in
    none. `bench/strangers.py --left-out` finds it anew.
    """
    if kind.kind.partition(".")[2] in SIXTEEN_BIT:
        return kind.interval
    return _in_quadrature(kind.interval, LIBRARY_EIGHT_BIT if library else LIBRARY)


def among_strangers(fit: Fit, claim: Claim = Claim.WORLD) -> Fit:
    """The fit as it speaks of other people's machines (`Claim.ENGINE`: of those that run its engine).

    What several hands measured does so already.
    """

    def claiming(kinds: Mapping[str, KindFit]) -> dict[str, KindFit]:
        return {
            name: kind if kind.claim is Claim.HANDS else replace(kind, claim=claim)
            for name, kind in kinds.items()
        }

    sets = {name: claiming(kinds) for name, kinds in fit.kernel_sets.items()}
    return replace(fit, kinds=claiming(fit.kinds), kernel_sets=sets)


@lru_cache(maxsize=256)
def spread_between(kind: str, claim: Claim) -> IntervalFit | None:
    """What is added to the intervals of a kind (`gemm.fp8`, `attention.decode`); None where nothing is.

    Whoever names the engine rules out other engines' kernels, and leaves versions and boards: as for 16-bit
    GEMMs, where engines share a library (`claimed_interval` has what those add where a GPU was measured). No
    tables compare hands that measured small kernels and launches.
    """
    if claim in (Claim.SETUP, Claim.HANDS):
        return None
    family, _, detail = kind.partition(".")
    spreads: Mapping[str, float] = LIBRARY_GEMM
    pair = LIBRARY_PAIR
    phase = f"{family}.{detail.partition('.')[0]}"  # whatever the type of the cache
    if phase in ENGINE_ATTENTION:
        spreads, pair = ENGINE_ATTENTION[phase], ATTENTION_PAIR
        if claim is Claim.ENGINE:
            spreads, pair = dict.fromkeys(spreads, max(LIBRARY_GEMM.values())), LIBRARY_PAIR
    elif detail in EXCHANGE_VERSIONS:
        own_kernels = family == "all_reduce" and claim is Claim.WORLD
        spreads = (EXCHANGE_ENGINES if own_kernels else EXCHANGE_VERSIONS)[detail]
        pair = ENGINE_PAIR if own_kernels else LIBRARY_PAIR
    elif family == "experts":
        width, pair = (
            (ENGINE_EXPERTS, ENGINE_PAIR) if claim is Claim.WORLD else (VERSIONS_EXPERTS, LIBRARY_PAIR)
        )
        spreads = {"all": width}
    elif family != "gemm":
        return None
    elif claim is Claim.WORLD and not detail.startswith(SIXTEEN_BIT):
        spreads, pair = ENGINE_GEMM, ENGINE_PAIR
    return IntervalFit(by_regime=spreads, pair=pair, outside=max(spreads.values()))


def differs_between_engines(kind: str) -> bool:
    """Whether engines bring kernels of their own for a kind."""
    return spread_between(kind, Claim.WORLD) != spread_between(kind, Claim.ENGINE)


def _library(times: float) -> IntervalFit:
    spreads = {name: times * width for name, width in LIBRARY_GEMM.items()}
    return IntervalFit(by_regime=spreads, pair=LIBRARY_PAIR, outside=max(spreads.values()))


LIBRARY, LIBRARY_EIGHT_BIT = _library(1.0), _library(2.0)
"""What hands add to GEMMs of other formats on GPUs that were not measured: twice as much in 8 bit as between
versions, from SlideSparse's A100 PCIe and RTX 4090. With B200 left out as well, 0.13 would do, and 0.04 to
0.18 with one of the three GPUs less: too few tables for less than this."""


def _in_quadrature(own: IntervalFit, spread: IntervalFit) -> IntervalFit:
    """Independent errors: their variances add. A regime of which no spread is known gets the largest."""
    return IntervalFit(
        by_regime={
            name: float(np.hypot(width, spread.by_regime.get(name, spread.outside)))
            for name, width in own.by_regime.items()
        },
        pair=float(np.hypot(own.pair, spread.pair)),
        outside=float(np.hypot(own.outside, spread.outside)),
    )
