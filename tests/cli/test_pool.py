"""Pooling fits, and asking what a GPU leans on, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.fitting.transfer import surrogate
from infersim.profile_files.pool_files import read_pool
from tests.cli.conftest import Infersim

pytestmark = pytest.mark.slow


def test_two_fits_are_pooled_into_a_file(
    answered: Infersim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surrogate, "ROWS", 30)
    path = tmp_path / "pool.json"
    text = answered("calibrate", "--pool", "h100-sxm", "l40s", "--out", str(path)).out
    assert "The fits of h100-sxm and l40s are pooled" in text
    assert read_pool(path).gpus.keys() == {"h100-sxm", "l40s"}


def test_an_unmeasured_gpu_is_explained_by_those_that_it_leans_on(answered: Infersim) -> None:
    text = answered("gpus", "--explain", "h200-sxm").out
    assert "transferred from its datasheet and the fits of" in text
    assert "h100-sxm (" in text


def test_a_measured_gpu_stands_on_its_own_fit(answered: Infersim) -> None:
    assert "gemm.bf16 and gemm.fp8 measured on it" in answered("gpus", "l40s", "--explain").out
