"""Names inside a fit are those that the cost model reads; a slip is told where the fit is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infersim.cost.attention.attention import ATTENTION_AXES, attention_features
from infersim.cost.fit_names import known_names
from infersim.cost.gemm.gemm import GEMM_AXES, gemm_features, machine_of
from infersim.domain.dtypes import DType
from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.domain.shapes import Attention, Phase
from infersim.files.locations import data_folder
from infersim.profile_files import load_profile, read_fit, write_fit
from tests.profile_files.example_fits import example_fit


def test_known_axes_are_the_features_of_the_costs() -> None:
    profile = load_profile("h100-sxm")
    one = np.ones(1, dtype=np.float32)
    assert tuple(gemm_features(machine_of(profile, DType.BF16), one, one, one)) == GEMM_AXES
    shape = Attention(
        phase=Phase.DECODE,
        batch=1,
        query_len=1,
        context_len=1,
        num_heads=1,
        num_kv_heads=1,
        head_dim=1,
        dtype=DType.BF16,
    )
    assert tuple(attention_features(shape)) == ATTENTION_AXES


def test_shipped_fits_name_what_is_known() -> None:
    for path in data_folder("hw_profiles").glob("*.fit.json"):
        assert all(known_names(kind) for kind in read_fit(path).kinds)


def _axis(kinds: dict[str, Any]) -> None:
    kinds["gemm.bf16"]["residuals"][0]["axes"][1]["name"] = "log2 width"


def _parameter(kinds: dict[str, Any]) -> None:
    kinds["gemm.bf16"]["parameters"]["dram_eficiency"] = 0.5


def _of_another_kind(kinds: dict[str, Any]) -> None:
    kinds["attention.decode"]["parameters"]["tile_overhead"] = 3.0


def _no_residual(kinds: dict[str, Any]) -> None:
    kinds["memory"] = {**kinds["gemm.bf16"], "parameters": {}, "uncertainties": {}, "at_bound": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_axis, r"kinds.gemm.bf16.residuals\[0\].axes.name = 'log2 width'; expected one of log2 m, log2 n"),
        (_parameter, r"kinds.gemm.bf16.parameters = 'dram_eficiency'; expected .*dram_efficiency"),
        (_of_another_kind, r"kinds.attention.decode.parameters = 'tile_overhead'; expected .*group_cost"),
        (_no_residual, r"kinds.memory.residuals\[0\].axes.name = 'log2 m'; expected no residual of memory"),
    ],
)
def test_a_slip_is_told_with_file_key_and_the_known_names(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    path = tmp_path / "own.fit.json"
    write_fit(example_fit("own"), path)
    whole = json.loads(path.read_text(encoding="utf-8"))
    change(whole["kinds"])
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(FileContentError, match=rf"own.fit.json: {said}"):
        read_fit(path)


def test_a_grid_over_what_no_cost_knows_is_told_when_it_is_read() -> None:
    """Of a kind that states its parameters beside its cost, only that cost knows the axes."""
    from infersim.cost.residual import residual_correction

    (grid,) = example_fit("own").kinds["gemm.bf16"].residuals
    with pytest.raises(UnknownNameError, match=r"unknown axis of a residual 'log2 m'.*known: log2 bytes"):
        residual_correction((grid,), {"log2 bytes": np.ones(2, dtype=np.float32)})
