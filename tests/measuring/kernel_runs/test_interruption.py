"""Killed at ten random points, a run loses no finished sample and ends as an undisturbed one does."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infersim.fitting.samples.reading import read_samples
from tests.measuring.interrupted_run import main as undisturbed_run

ROWS = 400
KILLS = 10
REPOSITORY = Path(__file__).resolve().parents[3]


def started(log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.measuring.interrupted_run", str(log), str(ROWS)]
    return subprocess.Popen(command, cwd=REPOSITORY)


def lines_in_full(log: Path) -> list[bytes]:
    content = log.read_bytes() if log.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def wait_for_lines(log: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the log has so many lines, and no longer than the process lives."""
    until = time.monotonic() + 120
    while len(lines_in_full(log)) < count and process.poll() is None:
        assert time.monotonic() < until, "the run makes no progress"
        time.sleep(0.005)


@pytest.mark.slow
def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    log, other = tmp_path / "killed.jsonl", tmp_path / "undisturbed.jsonl"
    chance = random.Random(0)
    kills = 0
    for _ in range(KILLS):
        before = lines_in_full(log)
        process = started(log)
        wait_for_lines(log, len(before) + chance.randrange(1, ROWS // 15), process)
        time.sleep(chance.uniform(0.0, 0.02))
        process.kill()
        kills += process.wait() == -9
        assert lines_in_full(log)[: len(before)] == before
    assert kills == KILLS, "the run was over before the last kill"
    assert len(lines_in_full(log)) < ROWS + 2

    assert started(log).wait() == 0

    undisturbed_run(other, ROWS)
    ours, theirs = read_samples(log).frame, read_samples(other).frame
    assert ours["m"].tolist() == theirs["m"].tolist() == list(range(1, ROWS + 1))
    assert ours["latency_us"].tolist() == theirs["latency_us"].tolist()
    assert lines_in_full(log) == lines_in_full(other)
