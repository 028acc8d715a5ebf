"""Time and peak memory of `infersim sweep million` on two cores, from its start to the finished file."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from one_core import SINGLE

WORKERS = 2
SAMPLE_S = 0.1
COMMAND = "from infersim.cli.main import run; run()"


def main() -> None:
    """Print rows, seconds, the most memory of all processes together, and the size of the file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "million.parquet"
        arguments = ["sweep", "million", "--out", str(out), "--workers", str(WORKERS)]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            env=os.environ | SINGLE,
            preexec_fn=_keep_to_two_cores,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak_bytes = 0
        while process.poll() is None:
            peak_bytes = max(peak_bytes, _resident_bytes(process.pid))
            time.sleep(SAMPLE_S)
        seconds = time.perf_counter() - start
        if process.returncode:
            sys.exit(f"the sweep ended with {process.returncode}")
        rows, size = pq.read_metadata(out).num_rows, out.stat().st_size
    print(
        f"infersim sweep: {rows:,} rows in {seconds:.1f} s on {WORKERS} cores ({_children_s():.0f} s of "
        f"processor time), peak memory of all processes {peak_bytes / 1e9:.2f} GB, "
        f"file of {size / 1e6:.0f} MB"
    )


def _resident_bytes(pid: int) -> int:
    """Of a process and all below it; pages that they share count for each."""
    total = 0
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _children_s() -> float:
    """Processor seconds of all processes that were waited for: what other programs do adds nothing."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _keep_to_two_cores() -> None:
    """Where the system has no affinity (macOS), two workers have to do."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:WORKERS]))


if __name__ == "__main__":
    main()
