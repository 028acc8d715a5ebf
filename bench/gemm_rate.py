"""GEMM predictions per second, on arrays of 100,000 shapes."""

from __future__ import annotations

import time

import numpy as np

import infersim as sim

SHAPES = 100_000
ROUNDS = 5


def main() -> None:
    """Print the best of several rounds for each GPU: what else runs can only slow a round down."""
    random = np.random.default_rng(0)
    m = np.floor(2.0 ** random.uniform(0, 15, SHAPES))
    n, k = 64 * random.integers(1, 500, SHAPES), 64 * random.integers(1, 300, SHAPES)
    for name in ("h100-sxm", "rtx-pro-6000"):
        profile = sim.load_profile(name)
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            sim.gemm_latency(profile, m, n, k)
            seconds.append(time.perf_counter() - start)
        rate = SHAPES / min(seconds)
        print(f"GEMM predictions on {name} ({profile.calibration}): {rate:,.0f} per second")


if __name__ == "__main__":
    main()
