"""What ten million attention shapes cost in one call, in a process of their own: seconds and peak memory."""

from __future__ import annotations

import resource
import time

import numpy as np

from infersim import attention_latency, load_profile

SHAPES = 10_000_000


def main() -> None:
    """One context length for each shape, of a model's decode."""
    gpu = load_profile("h100-sxm")
    context = np.random.default_rng(0).integers(1, 131_072, SHAPES)
    start = time.perf_counter()
    found = attention_latency(
        gpu, phase="decode", batch=8, context_len=context, num_heads=32, num_kv_heads=8, head_dim=128
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"attention_latency of {found.latency_s.size:,} shapes: {seconds:.1f} s, at most {peak:.2f} GiB")


if __name__ == "__main__":
    main()
