"""What `infersim validate` and `calibrate` cost on many rows, each in its own process: seconds and memory.

`python bench/many_samples.py [ROWS] [SUFFIX] [COMMAND ...]`: where nothing is said both commands on 1,000,000
rows of a CSV file. Ten million take minutes, and are measured where they are asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from infersim import gemm_latency
from infersim.fitting.samples.writing import writing_samples
from one_core import SINGLE

GPU = "h100-sxm"
PART = 500_000
"""Rows that are made at a time."""

COMMANDS = ("validate", "calibrate")


def samples(rows: int, chance: np.random.Generator) -> pd.DataFrame:
    """Made-up GEMMs: the shapes of LLMs, 10 % around what is predicted."""
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


def write(rows: int, path: Path) -> None:
    """A file of so many."""
    chance = np.random.default_rng(0)
    with writing_samples(path) as write_part:
        for start in range(0, rows, PART):
            write_part(samples(min(PART, rows - start), chance))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds of a process, those of a core that it worked, and its peak of memory in bytes.

    The system counts what the parent had when it started the child, too: this one stays small.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | SINGLE, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)}: status {status}")
    process.returncode = 0
    per_unit = 1 if sys.platform == "darwin" else 1024
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * per_unit


def main(rows: int, suffix: str, commands: tuple[str, ...]) -> None:
    """One line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        path, fit = Path(folder) / f"samples{suffix}", Path(folder) / "x.fit.json"
        subprocess.run([sys.executable, __file__, "--write", str(rows), str(path)], check=True)
        for name in commands:
            more = ["-o", str(fit)] if name == "calibrate" else []
            seconds, worked, peak = measured([sys.executable, "-m", "infersim", name, GPU, str(path), *more])
            print(
                f"infersim {name} of {rows:,} rows ({suffix}): {seconds:.1f} s, of which a core worked "
                f"{worked:.1f} s; at most {peak / 1e9:.2f} GB",
                flush=True,
            )


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    if given.get(1) == "--write":
        write(int(given[2]), Path(given[3]))
    else:
        main(int(given.get(1, 1_000_000)), given.get(2, ".csv"), tuple(sys.argv[3:]) or COMMANDS)
