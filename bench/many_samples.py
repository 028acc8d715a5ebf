"""What `infersim validate` costs on many rows, in a process of its own: seconds and peak memory.

`python bench/many_samples.py [ROWS] [SUFFIX]`: 1,000,000 rows of a CSV file where nothing is said.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from infersim import gemm_latency
from infersim.fitting.samples.writing import write_samples
from one_core import SINGLE

GPU = "h100-sxm"


def samples(rows: int) -> pd.DataFrame:
    """Made-up GEMMs: the shapes of LLMs, 10 % around what is predicted."""
    chance = np.random.default_rng(0)
    m = chance.integers(1, 16_384, rows)
    n = chance.choice([1024, 2048, 4096, 6144, 8192, 11008, 14336, 28672], rows)
    k = chance.choice([2048, 4096, 5120, 8192, 14336], rows)
    latency_us = 1e6 * gemm_latency(GPU, m, n, k).latency_s * np.exp(chance.normal(0, 0.1, rows))
    return pd.DataFrame(
        {
            "gpu": GPU,
            "kind": "gemm",
            "dtype": "bf16",
            "m": m,
            "n": n,
            "k": k,
            "latency_us": latency_us.round(4),
        }
    )


def main(rows: int, suffix: str) -> None:
    """One figure, printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"samples{suffix}"
        write_samples(samples(rows), path)
        start = time.perf_counter()
        command = [sys.executable, "-m", "infersim", "validate", GPU, str(path)]
        subprocess.run(command, env=os.environ | SINGLE, stdout=subprocess.DEVNULL, check=True)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"infersim validate of {rows:,} rows ({suffix}): {seconds:.1f} s, of which a core worked "
        f"{used.ru_utime + used.ru_stime:.1f} s; at most {used.ru_maxrss / 2**20:.2f} GiB"
    )


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    main(int(given.get(1, 1_000_000)), given.get(2, ".csv"))
