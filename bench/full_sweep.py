"""Time and peak memory of a sweep: all families, sparsities, batches, contexts, GPUs, both phases."""

from __future__ import annotations

import resource
import sys
import time

import infersim as sim
from infersim.pruning.composition import family_plans
from infersim.pruning.families.registry import suitable_families

SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512)
CONTEXTS = (128, 256, 512, 1024, 2048, 4096, 8192, 12288, 16384, 32768, 65536, 131072)
GPUS = (
    "a10",
    "a100-sxm-80gb",
    "b200-sxm",
    "h100-sxm",
    "h200-sxm",
    "l4",
    "l40s",
    "rtx-4090",
    "rtx-5090",
    "rtx-pro-6000",
)


def main() -> None:
    """Print both, from the first plan to the finished frame."""
    model = sim.load_model("llama-3.1-8b")
    start = time.perf_counter()
    swept = family_plans(model, [family.name for family in suitable_families(model)], SPARSITIES)
    frame = sim.compare(model, swept.plans, GPUS, phase="both", batch=BATCHES, context=CONTEXTS)
    seconds = time.perf_counter() - start
    print(
        f"Sweep of {len(swept.plans)} plans x {len(BATCHES)} batches x {len(CONTEXTS)} contexts x "
        f"{len(GPUS)} GPUs x 2 phases: {len(frame):,} rows in {seconds:.1f} s, "
        f"peak memory {_peak_bytes() / 1e9:.2f} GB"
    )


def _peak_bytes() -> float:
    """Of this process; Linux counts in KiB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
