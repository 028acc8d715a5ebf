"""A slice of `bench/faults.py`: a full disk and a kill cost nothing that was there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import faults

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("writer", ["import", "validate to Parquet", "predict --html", "sweep"])
def test_a_full_disk_leaves_everything_as_it_was(writer: str, tmp_path: Path) -> None:
    assert faults.full_disks(tmp_path, faults.quota, only=[writer]) == []


def test_killed_writers_leave_a_whole_file(tmp_path: Path) -> None:
    assert faults.kill_writers(tmp_path, 1, random.Random(0)) == []
