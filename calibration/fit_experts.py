"""Fit expert layers to published tables, into the fits and the pool that ship.

    python calibration/fit_experts.py FOLDER

Other kinds of the fits and of the pool stay as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from expert_tables import expert_samples
from infersim.domain.fit import Fit
from infersim.fitting.calibration_rows import thinned
from published import GPUS, fitted_alone, put_into_fit, put_into_pool

KERNELS = "vllm"
ROWS = 4000
"""Rows of each format that are fitted."""


def with_experts(fit: Fit, experts: Fit) -> Fit:
    """A fit with the expert layers of another in the place of its own."""
    joined = fit.with_kinds(dict(experts.kernel_sets[KERNELS]), KERNELS).run_by(None)
    return replace(joined, provenance={**fit.provenance, "experts": experts.provenance})


def main() -> None:
    """Fit all GPUs, write their files, and pool them."""
    folder, pooled = Path(sys.argv[1]), []
    for gpu in GPUS:
        profile = fitted_alone(gpu, thinned(expert_samples(folder, gpu), ROWS, seed=0), KERNELS)
        put_into_fit(profile, with_experts)
        pooled.append(profile)
    put_into_pool(pooled, lambda name: name.startswith("experts."))


if __name__ == "__main__":
    main()
