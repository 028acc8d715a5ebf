"""`infersim compare --measured FOLDER`: a run of a benchmark beside bound and prediction, in one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim
from tests.simulation.measured.benchmark_files import block, results

DENSE = "wrapper/static/dense.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    runs = [(1, 1024, 0.25, 100.0), (8, 1024, 0.25, 200.0)]
    faster = [(batch, length, sparsity, 1.2 * rate) for batch, length, sparsity, rate in runs]
    results(tmp_path, block(runs, config=DENSE, model="llama-3.2-1b"), name="ttft_a_False.txt")
    return results(
        tmp_path,
        block(faster, model="llama-3.2-1b"),
        block(faster, config="wrapper/dynamic/dynamic_nk.yaml", model="llama-3.2-1b"),
        name="ttft_b_False.txt",
    )


def test_the_folder_says_what_is_compared(answered: Infersim, folder: Path) -> None:
    rows = answered("compare", "--measured", str(folder), "--gpu", "l4", "--json").rows
    assert {row["model"] for row in rows} == {"llama-3.2-1b"}
    assert {row["plan"] for row in rows} == {"static-m 25 %", "dynamic-nk 25 % (estimate=scores)"}
    assert {(row["phase"], row["batch"], row["context"]) for row in rows} == {
        ("prefill", 1, 1024),
        ("prefill", 8, 1024),
    }
    assert [row["measured"] for row in rows] == pytest.approx([1.2] * 4)


def test_what_is_typed_outranks_the_folder(answered: Infersim, folder: Path) -> None:
    words = ("--families", "static-m", "--batch", "8", "--execution", "separate", "--no-cuda-graph")
    (row,) = answered("compare", "--measured", str(folder), "--gpu", "l4", *words, "--json").rows
    assert (row["plan"], row["batch"], row["measured"]) == ("static-m 25 %", 8, pytest.approx(1.2))
    told = answered("compare", "--measured", str(folder), "--gpu", "l4", "--execution", "fused")
    assert "0 of 4 speedups stand beside predictions" in told.err
    assert "executed separate: compare with --execution separate" in told.err


def test_a_plan_of_that_program_stands_beside_its_measurement(
    answered: Infersim, folder: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "static_m.yaml"
    plan.write_text("cache_type: base\nlayer: {estimated_sparsity: -1, pruning_type: M}\n", encoding="utf-8")
    words = ("--plan", str(plan), "--batch", "1", "--json")
    (row,) = answered("compare", "--measured", str(folder), "--gpu", "l4", *words).rows
    assert (row["plan"], row["measured"]) == ("static-m 25 %", pytest.approx(1.2))


def test_one_gpu_and_one_model(refused: Callable[..., str], folder: Path) -> None:
    told = refused("compare", "--measured", str(folder), "--gpu", "l4,a10")
    assert "expected the one GPU that" in told
    results(folder.parent, block([(1, 64, 0.5, 1.0)], config=DENSE, model="qwen3-8b"), name="q_False.txt")
    results(folder.parent, block([(1, 64, 0.5, 1.5)], model="qwen3-8b"), name="r_False.txt")
    told = refused("compare", "--measured", str(folder), "--gpu", "l4")
    assert "model = None; expected one of llama-3.2-1b, qwen3-8b, which were measured" in told
