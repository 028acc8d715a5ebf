"""A fit as a source of samples: what it says of kernels spread over the range it was calibrated on.

A pool is made of fits, whose measurements may be gone; a fit remembers them, residual and all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS, NCCL
from infersim.domain.arrays import Array
from infersim.domain.dtypes import DType
from infersim.domain.fit import KindFit
from infersim.domain.profile import HardwareProfile
from infersim.fitting.fits.kind_fit import log_latency
from infersim.fitting.samples.schema import Kind

ROWS = 400
"""Kernels of each kind and GPU: as many as a calibration needs."""

_Draw: TypeAlias = Callable[[Mapping[str, tuple[float, float]], str, np.random.Generator], pd.DataFrame]

CANDIDATES = 20
"""Points drawn for each that is kept: many are beyond what anyone would time."""

LARGEST_OPERAND = 2.0**31
"""Elements of A or O: larger ones are in no table."""

LARGEST_CACHE_BYTES = 2.0**32
MOST_PREFILL_TOKENS = 2.0**17

NK_STEP = 32
"""Widths of linear layers are multiples of this."""


def surrogate_samples(profile: HardwareProfile, kind: str, seed: int = 0) -> pd.DataFrame:
    """ROWS samples of `kind`, with the latencies in microseconds that the profile's own fit predicts."""
    assert profile.fit is not None
    fit = profile.fit.kinds[kind]
    family, _, detail = kind.partition(".")
    random = np.random.default_rng(seed)
    frame = _DRAWN[family](fit.ranges, detail, random)
    if family == Kind.GEMM:
        frame = frame.assign(includes_act_quant="act_quant_us" in fit.parameters)
    frame = frame.iloc[:ROWS].reset_index(drop=True)
    kind_of = Kind.COLLECTIVE.value if kind in COLLECTIVE_PARAMETERS else _KINDS.get(family, family)
    frame = frame.assign(gpu=profile.name, kind=kind_of, weight_copies=fit.weight_copies)
    return frame.assign(latency_us=np.exp(log_latency(profile, frame)))


def poolable(kind: KindFit) -> bool:
    """Whether samples of this kind can be drawn, and its parameters are GPUs' own: launches have no shape,
    small kernels have defaults that were fitted over GPUs, and formats that are related to another have its.
    Attention with narrow caches is measured under other engines than the rest: wide caches stand in for it.
    """
    family, _, detail = kind.kind.partition(".")
    narrow_cache = family == Kind.ATTENTION and "." in detail
    return family in _DRAWN and not (kind.transferred or is_related(kind) or narrow_cache)


def is_related(kind: KindFit) -> bool:
    """Whether the kind is a number format that few GPUs are measured in, which `relating` is for."""
    family, _, dtype = kind.kind.partition(".")
    return family == Kind.GEMM and dtype not in POOLED_FORMATS and not kind.transferred


POOLED_FORMATS = frozenset({*DType, "fp8"} - {"int8"})
"""Plain types, and fp8 as vLLM runs it: measured on enough GPUs to tell how those differ."""


def _log_uniform(random: np.random.Generator, limits: tuple[float, float], step: int = 1) -> Array:
    """Whole multiples of `step` between the limits, evenly spread in log."""
    low, high = (float(np.log2(max(limit, 1.0))) for limit in limits)
    drawn: Array = 2.0 ** random.uniform(low, high, ROWS * CANDIDATES)
    return np.maximum(np.round(drawn / step), 1.0) * step


def _powers_of_2(random: np.random.Generator, limits: tuple[float, float]) -> Array:
    low, high = np.ceil(np.log2(limits[0])), np.floor(np.log2(limits[1]))
    exponents = random.integers(int(low), int(max(high, low)) + 1, ROWS * CANDIDATES)
    return np.exp2(exponents.astype(np.float64))


def _gemms(
    ranges: Mapping[str, tuple[float, float]], dtype: str, random: np.random.Generator
) -> pd.DataFrame:
    m = _log_uniform(random, ranges["m"])
    n, k = _log_uniform(random, ranges["n"], NK_STEP), _log_uniform(random, ranges["k"], NK_STEP)
    frame = pd.DataFrame({"dtype": dtype, "m": m, "n": n, "k": k})
    return frame[m * np.maximum(n, k) <= LARGEST_OPERAND]


def _attention(
    ranges: Mapping[str, tuple[float, float]], phase: str, random: np.random.Generator
) -> pd.DataFrame:
    batch, head_dim = (_powers_of_2(random, ranges[name]) for name in ("batch", "head_dim"))
    # Models share few KV heads, and prompts are long: the smaller, and the longer, of two draws.
    kv_heads = np.minimum(*(_powers_of_2(random, ranges["num_kv_heads"]) for _ in range(2)))
    context = _log_uniform(random, ranges["context_len"])
    if phase == "prefill":
        context = np.maximum(context, _log_uniform(random, ranges["context_len"]))
    most = ranges["num_heads"][1]
    group = np.floor(2.0 ** random.uniform(0.0, np.log2(np.maximum(most / kv_heads, 1.0))))
    frame = pd.DataFrame(
        {
            "dtype": "bf16",
            "phase": phase,
            "batch": batch,
            "query_len": context if phase == "prefill" else 1.0,
            "context_len": context,
            "num_heads": kv_heads * group,
            "num_kv_heads": kv_heads,
            "head_dim": head_dim,
        }
    )
    if phase == "prefill":
        return frame[batch * context <= MOST_PREFILL_TOKENS]
    return frame[4.0 * batch * context * kv_heads * head_dim <= LARGEST_CACHE_BYTES]


def _exchanges(name: str) -> _Draw:
    """How exchanges of a kind are drawn: messages of any size, among 2, 4, 8... GPUs."""
    library = NCCL if name.startswith(NCCL) else None
    exchange = name.removeprefix(f"{NCCL}_")

    def drawn(ranges: Mapping[str, tuple[float, float]], _: str, random: np.random.Generator) -> pd.DataFrame:
        gpus = _powers_of_2(random, ranges["gpus"])
        sent = _log_uniform(random, ranges["message_bytes"])
        return pd.DataFrame({"exchange": exchange, "gpus": gpus, "message_bytes": sent, "library": library})

    return drawn


EXPERT_STEP = 128
"""Hidden sizes of expert layers, and an expert's channels on one GPU but for the smallest, are multiples."""


def _experts(
    ranges: Mapping[str, tuple[float, float]], dtype: str, random: np.random.Generator
) -> pd.DataFrame:
    """Layers on one GPU and on several: half share whole experts, half have a share of each."""
    experts, gpus = _powers_of_2(random, ranges["num_experts"]), _powers_of_2(random, (1.0, 32.0))
    top_k = np.minimum(_log_uniform(random, ranges["top_k"]), experts)
    whole = random.uniform(size=len(experts)) < 0.5
    expert_parallel = np.where(whole, np.minimum(gpus, experts), 1.0)
    tensor_parallel = np.where(whole, 1.0, gpus)
    width = _log_uniform(random, ranges["width"], EXPERT_STEP)
    frame = pd.DataFrame(
        {
            "dtype": dtype,
            "tokens": _log_uniform(random, ranges["tokens"]),
            "hidden_size": _log_uniform(random, ranges["hidden"], EXPERT_STEP),
            "ffn_width": width * tensor_parallel,
            "num_experts": experts,
            "top_k": top_k,
            "tensor_parallel": tensor_parallel,
            "expert_parallel": expert_parallel,
            "routing": random.choice(["balanced", "power_law_1.2"], size=len(experts)),
        }
    )
    small: pd.DataFrame = frame[experts * width * frame["hidden_size"] <= LARGEST_LAYER]
    return small


LARGEST_LAYER = 2.0**33
"""Weights of one matrix of all experts: larger layers are in no table."""

_KINDS: Mapping[str, str] = {"experts": Kind.MOE.value}
"""Kinds of samples of families that bear another name."""

_DRAWN: Mapping[str, _Draw] = {
    "experts": _experts,
    "gemm": _gemms,
    "attention": _attention,
    **{name: _exchanges(name) for name in {kind.partition(".")[0] for kind in COLLECTIVE_PARAMETERS}},
}
