"""`python bench`: what infersim costs, each figure from processes of its own; then its errors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from one_core import SINGLE, run_on_one_core

HERE = Path(__file__).parent
HELP = ("-c", "from infersim.cli.main import run; run(['--help'])")
ROUNDS = 5

TABLES = (
    *("accuracy.py", "formats.py", "small_kernels.py", "attention_engines.py"),
    *("sparse_accuracy.py", "sparse_models.py", "unseen_gpus.py", "strangers.py"),
    *("power.py", "served_events.py", "dynamic_width.py", "spmv.py", "collectives.py"),
)
"""Scores against published measurements; each says so where there are none."""


def main() -> None:
    """Each figure as soon as it is measured."""
    for script in ("gemm_rate.py", "full_sweep.py"):
        print(run_on_one_core([str(HERE / script)]), end="", flush=True)
    for script in ("million_sweep.py", "many_samples.py", "many_shapes.py", "million_served.py", "search.py"):
        subprocess.run([sys.executable, str(HERE / script)], check=True)
    print(
        f"infersim --help: {_seconds(HELP):.3f} s (an empty Python: {_seconds(('-c', '')):.3f} s)", flush=True
    )
    # Threads of a linear algebra library that wait for each other on a busy machine triple the time of a fit.
    for script in TABLES:
        subprocess.run([sys.executable, str(HERE / script)], env=os.environ | SINGLE, check=True)
    # Last, as each takes some ten minutes; a failure that they find is one of the bench.
    for script in ("measured_models.py", "fuzz.py", "faults.py"):
        environment = os.environ if script == "measured_models.py" else os.environ | SINGLE
        subprocess.run([sys.executable, str(HERE / script)], env=environment, check=True)


def _seconds(arguments: tuple[str, ...]) -> float:
    """The best of several runs: what else runs on the machine can only add to it."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run_on_one_core(arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
