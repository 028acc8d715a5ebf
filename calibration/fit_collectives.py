"""Fit the exchanges between GPUs to published tables, into the fits and the pool that ship.

    python calibration/fit_collectives.py FOLDER

Other kinds of the fits and of the pool stay as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from collective_tables import ENGINES, collective_samples
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.domain.fit import Fit, KindFit
from published import GPUS, fitted_alone, put_into_fit, put_into_pool


def with_exchanges(fit: Fit, exchanges: Fit) -> Fit:
    """A fit with the exchanges of another in the place of its own."""
    (name,) = exchanges.kernel_sets
    kept = ("date", "framework", "source")
    own = {key: exchanges.provenance[key] for key in kept}
    seen = {key: exchanges.provenance["samples"][key] for key in ("rows", "sha256")}
    record = {**fit.provenance.get("exchanges", {}), name: own | seen}
    kinds: dict[str, KindFit] = dict(exchanges.kernel_sets[name])
    joined = fit.with_kinds(kinds, name).run_by(None)
    return replace(joined, provenance={**fit.provenance, "exchanges": record})


def main() -> None:
    """Fit all GPUs, write their files, and pool what vLLM runs."""
    folder, pooled = Path(sys.argv[1]), []
    for gpu in GPUS:
        for kernels in ENGINES:
            profile = fitted_alone(gpu, collective_samples(folder, gpu, kernels), kernels)
            put_into_fit(profile, with_exchanges)
            if kernels == "vllm":
                pooled.append(profile)
    put_into_pool(pooled, COLLECTIVE_PARAMETERS.__contains__)


if __name__ == "__main__":
    main()
