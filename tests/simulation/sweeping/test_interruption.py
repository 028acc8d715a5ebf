"""Killed at random points, a sweep loses no finished chunk and ends as an undisturbed one does."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("psutil")

import psutil

from infersim.simulation.sweeping.parts import parts_folder
from infersim.simulation.sweeping.resolved import resolve_sweep
from tests.simulation.sweeping.examples import CHUNK_ROWS, PLAN
from tests.simulation.sweeping.interrupted_sweep import main as undisturbed_sweep

REPOSITORY = Path(__file__).resolve().parents[3]
KILLS = 4


def started(out: Path, workers: int) -> subprocess.Popen[bytes]:
    module = "tests.simulation.sweeping.interrupted_sweep"
    return subprocess.Popen([sys.executable, "-m", module, str(out), str(workers)], cwd=REPOSITORY)


def finished_parts(out: Path) -> set[Path]:
    return set(parts_folder(out).glob("*.parquet"))


def wait_for_parts(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while len(finished_parts(out)) < count and process.poll() is None:
        assert time.monotonic() < until, "the sweep makes no progress"
        time.sleep(0.01)


@pytest.mark.slow
def test_kills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    out, undisturbed = tmp_path / "killed.parquet", tmp_path / "undisturbed.parquet"
    chunks = len(resolve_sweep(PLAN).chunks(CHUNK_ROWS))
    targets = sorted(random.Random(7).sample(range(1, chunks), KILLS))
    for kill, target in enumerate(targets):
        process = started(out, workers=2 if kill == KILLS // 2 else 1)
        before = finished_parts(out)
        wait_for_parts(out, target, process)
        below = psutil.Process(process.pid).children(recursive=True)
        time.sleep(random.Random(kill).uniform(0, 0.05))
        process.kill()
        process.wait()
        assert before <= finished_parts(out)
        assert not out.exists()
        # Workers end with the process that started them, though nothing tells them to.
        assert not psutil.wait_procs(below, timeout=60)[1]
    assert len(finished_parts(out)) >= targets[-1]
    assert started(out, workers=1).wait() == 0
    undisturbed_sweep(undisturbed, 1)
    assert out.read_bytes() == undisturbed.read_bytes()
    assert not parts_folder(out).exists()
