"""Speedups of a whole model: from a GPU's datasheet, against those from its own calibration."""

from __future__ import annotations

import numpy as np

import infersim as sim
from infersim.domain.profile import HardwareProfile
from infersim.pruning.composition import family_plans
from infersim.pruning.families.registry import suitable_families

MODEL = "llama-3.1-8b"
SPARSITIES = (0.25, 0.5)
BATCHES = (1, 8, 32)
CONTEXTS = (1024, 8192)


def speedup_differences(unseen: HardwareProfile, fitted: HardwareProfile) -> dict[str, float]:
    """By phase, the median of |ratio - 1| of predicted speedups, over all families and scenarios."""
    model = sim.load_model(MODEL)
    plans = family_plans(model, [family.name for family in suitable_families(model)], SPARSITIES).plans
    found = {}
    for phase in ("prefill", "decode"):
        first, second = (
            sim.compare(model, plans, gpu, phase=phase, batch=BATCHES, context=CONTEXTS)["predicted"]
            for gpu in (unseen, fitted)
        )
        ratio = first.to_numpy(dtype=np.float64) / second.to_numpy(dtype=np.float64)
        found[phase] = float(np.median(np.abs(ratio - 1.0)))
    return found
