"""Samples made by the cost model itself, with parameters and noise that tests know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from infersim.cost.parameters import DEFAULTS
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.validation.predictions import predict_samples
from infersim.profile_files.profiles import load_profile

GPU = "h100-sxm"
WIDEST = (1.0, 1e9)
Z80 = 1.2816
"""80 % of a normal distribution lie within so many standard deviations."""


def known_kind(kind: str, *, half_width: float = 0.1, **changed: float) -> KindFit:
    """A kind whose parameters are the defaults but for `changed`, valid for all shapes."""
    family = kind if kind in DEFAULTS else kind.rpartition(".")[0]
    dimensions = ("m", "n", "k") if "gemm" in family else ()
    return KindFit(
        kind=kind,
        parameters={**DEFAULTS[family], **changed},
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={}, pair=half_width * 2**0.5, outside=half_width),
        ranges=dict.fromkeys(dimensions, WIDEST),
        rows=100,
    )


def known_profile(*kinds: KindFit, provenance: Mapping[str, object] | None = None) -> HardwareProfile:
    """An H100 whose parameters are exactly those of `kinds`."""
    fit = Fit(gpu=GPU, kinds={kind.kind: kind for kind in kinds}, provenance=provenance or {})
    return replace(load_profile(GPU), fit=fit, calibration=Calibration.FITTED, fit_source=None)


def gemm_shapes(rows: int, seed: int) -> pd.DataFrame:
    """GEMMs of LLMs and smaller ones; each weight matrix occurs with several m, as in real tables."""
    rng = np.random.default_rng(seed)
    widths = np.array([256, 512, 768, 1024, 1536, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 11008, 14336])
    matrices = rng.choice(widths, size=(max(rows // 6, 1), 2))
    chosen = matrices[rng.integers(len(matrices), size=rows)]
    tokens = rng.choice(np.array([1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]), size=rows)
    columns = {"m": tokens, "n": chosen[:, 0], "k": chosen[:, 1]}
    return pd.DataFrame({"gpu": GPU, "kind": "gemm", "dtype": "bf16", **columns}).drop_duplicates(
        ignore_index=True
    )


def attention_shapes(rows: int, seed: int, phase: str) -> pd.DataFrame:
    """Attention of LLMs in one phase."""
    rng = np.random.default_rng(seed)
    context = 2 ** rng.integers(8, 14, size=rows)
    kv_heads = rng.choice(np.array([4, 8, 16, 32]), size=rows)
    return pd.DataFrame(
        {
            "gpu": GPU,
            "kind": "attention",
            "dtype": "bf16",
            "phase": phase,
            "batch": 2 ** rng.integers(0, 6, size=rows),
            "query_len": context if phase == "prefill" else 1,
            "context_len": context,
            "num_heads": kv_heads * rng.choice(np.array([1, 4]), size=rows),
            "num_kv_heads": kv_heads,
            "head_dim": 128,
        }
    ).drop_duplicates(ignore_index=True)


def measured(
    shapes: pd.DataFrame, truth: HardwareProfile, *, noise: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    """`shapes` with the latency that `truth` gives them, times log-normal noise."""
    latency = predict_samples(shapes, truth)["predicted_us"].to_numpy()
    wobble = np.random.default_rng(seed).normal(0.0, noise, len(shapes))
    return shapes.assign(latency_us=latency * np.exp(wobble))
