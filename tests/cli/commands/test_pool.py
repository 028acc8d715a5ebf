"""Pooling fits, and asking what a GPU leans on, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.fitting.transfer import surrogate
from infersim.profile_files.pool_files import read_pool
from tests.cli.conftest import Infersim
from tests.report.handmade import check_order, check_says

pytestmark = pytest.mark.slow


def test_two_fits_are_pooled_into_a_file(
    answered: Infersim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surrogate, "ROWS", 30)
    path = tmp_path / "pool.json"
    text = answered("calibrate", "--pool", "h100-sxm", "l40s", "--out", str(path)).out
    check_order(text.splitlines()[0], "h100-sxm", "l40s", "pooled")
    assert read_pool(path).gpus.keys() == {"h100-sxm", "l40s"}


def test_an_unmeasured_gpu_is_explained_by_those_that_it_leans_on(answered: Infersim) -> None:
    first = answered("gpus", "--explain", "h200-sxm").out.splitlines()[0]
    check_order(first, "h200-sxm", "gemm.bf16", "transferred", "datasheet", "h100-sxm", "b200-sxm")
    assert "measured" not in first


def test_a_measured_gpu_stands_on_its_own_fit(answered: Infersim) -> None:
    first = answered("gpus", "l40s", "--explain").out.splitlines()[0]
    check_says(first, "l40s", "gemm.bf16", "gemm.fp8", "measured")
    assert "transferred" not in first
