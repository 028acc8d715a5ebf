"""Processes on one core: the libraries' threads are off before they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

SINGLE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
)


def run_on_one_core(arguments: Sequence[str]) -> str:
    """What `python ARGUMENTS` prints; its errors are passed on."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | SINGLE,
        preexec_fn=_keep_to_one_core,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _keep_to_one_core() -> None:
    """Where the system has no affinity (macOS), one thread has to do."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
