"""Losses of quality: the published table's conversions, and what is refused in a user's file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import infersim as sim
from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.locations import data_folder
from infersim.simulation.frontier.quality_files import load_own_quality, load_quality
from infersim.workload.counts import block_linear_parameters, parameters

ROWS = load_quality().rows


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def test_every_fact_has_an_id_a_source_and_a_known_model() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.source
        assert row.locator
        assert row.evidence in ("primary", "secondary")
        assert row.model is not None
        sim.load_model(row.model)
        assert row.recovery == "unstated" or row.recovery


def test_the_reader_keeps_every_row_of_the_file() -> None:
    with (data_folder("calibration") / "published_quality.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(ROWS)


def test_fractions_of_all_parameters_become_whole_layers() -> None:
    """SLEB removes whole layers of Llama-2-7B; the source counts them in all parameters of the model."""
    found = [row for row in ROWS if row.method == "SLEB" and row.model == "llama-2-7b"]
    assert {row.counted for row in found} == {"all parameters"}
    layers = sorted({32 * row.sparsity for row in found if row.sparsity})
    assert layers == pytest.approx([4, 8, 12], abs=0.02)


def test_fractions_of_all_parameters_are_taken_of_the_block_linears() -> None:
    for row in ROWS:
        if row.counted != "all parameters" or row.family == "static-nk-cross":
            continue
        model = sim.load_model(row.model or "")
        ratio = parameters(model) / block_linear_parameters(model)
        assert row.sparsity == pytest.approx((row.sparsity_as_published or 0) * ratio, rel=1e-3)


def test_slicing_counted_in_parameters_becomes_the_hidden_size_that_removes_them() -> None:
    found = [row for row in ROWS if row.family == "static-nk-cross" and "parameters" in row.counted]
    assert found
    for row in found:
        plan = sim.prune(sim.load_model(row.model or ""), "static-nk-cross", row.sparsity, align=1)
        assert plan.params_removed == pytest.approx(row.sparsity_as_published, abs=2e-3)
    # The source of this row says "about 25 % of the hidden size" itself.
    (stated,) = [row for row in found if "25 % of the hidden size" in row.note and row.model == "llama-2-7b"]
    assert stated.sparsity == pytest.approx(0.25, abs=0.005)


def test_what_is_a_fraction_of_the_family_already_is_kept() -> None:
    kept = (
        "layers",
        "hidden size",
        "weights",
        "FFN width",
        "heads and FFN width",
        "causal blocks",
        "KV cache",
        "routed experts",
        "experts a token",
    )
    for row in ROWS:
        if row.counted in kept:
            assert row.sparsity == pytest.approx(row.sparsity_as_published, abs=1e-4)


def test_different_training_is_a_different_regime_and_sparse_attention_has_its_own_axis() -> None:
    by_source = {row.regime for row in ROWS if row.source == "arXiv:2401.15024"}
    assert by_source == {"none", "lora (WikiText2, 1M tokens)", "lora (Alpaca, 5M tokens)"}
    for row in ROWS:
        sparse = row.family in ("dynamic-nk", "kv-pruning")
        assert row.axis.startswith("sparse attention, ") == sparse
        assert sparse or row.axis == row.task_type
    lengths = {row.axis for row in ROWS if row.metric.startswith("PG19 perplexity at")}
    assert {"sparse attention, PG19 perplexity at 8k", "sparse attention, PG19 perplexity at 128k"} <= lengths


def test_a_users_loss_follows_from_dense_and_pruned(tmp_path: Path) -> None:
    text = "family,sparsity,metric,dense,pruned\nstatic-m,0.25,accuracy,80,76\nstatic-m,0.5,perplexity,5,6\n"
    accuracy, perplexity = load_own_quality(own(tmp_path, text)).rows
    assert accuracy.quality_loss_percent == pytest.approx(5)
    assert perplexity.quality_loss_percent == pytest.approx(20)
    assert accuracy.source == "mine.csv"
    assert accuracy.model is None


def test_a_users_names_are_made_canonical(tmp_path: Path) -> None:
    header = "model,family,sparsity,quality_loss_percent,options"
    text = f"{header}\nmeta-llama/Llama-3.1-8B,static-nk,0.3,4,target=ffn\n"
    (row,) = load_own_quality(own(tmp_path, text)).rows
    assert row.model == "llama-3.1-8b"
    assert row.plan_options == {"target": "ffn"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("family,quality_loss_percent\nstatic-m,3\n", "sparsity"),
        ("family,sparsity\nstatic-m,0.25\n", "quality_loss_percent"),
        ("family,sparsity,quality_loss_percent\nstatic-x,0.25,3\n", "family = 'static-x'"),
        ("family,sparsity,quality_loss_percent\nstatic-m,25,3\n", "sparsity"),
        ("family,sparsity,quality_loss_percent\nstatic-m,0.25,nan\n", "quality_loss_percent"),
        ("family,sparsity,quality_loss_percent\nstatic-m,0.25,inf\n", "quality_loss_percent"),
        ("family,sparsity,quality_loss_percent\nstatic-k-2:4,0.25,3\n", "0.5"),
        ("family,sparsity,quality_loss_percent,options\nstatic-m,0.25,3,depth=2\n", "options = 'depth=2'"),
        ("family,sparsity,dense\nstatic-m,0.25,3\n", "pruned = None"),
        ("family,sparsity,dense,pruned\nstatic-m,0.25,0.721,68\n", "pruned = '68'"),
        ("family,sparsity,dense,pruned\nstatic-m,0.25,-5,68\n", "dense = '-5'"),
        ("family,sparsity,quality_loss_percent,dense,pruned\nstatic-m,0.25,30,80,76\n", "5.00"),
        ("family,sparsity,quality_loss_percent\n", "rows = 0"),
    ],
)
def test_a_bad_row_is_told_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(FileContentError, match=r"mine\.csv") as caught:
        load_own_quality(own(tmp_path, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="quality"):
        load_own_quality(tmp_path / "none.csv")
