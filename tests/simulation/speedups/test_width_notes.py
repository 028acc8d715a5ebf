"""Notes on widths that no sample has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.pruning.composition import prune
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.prediction import predict
from infersim.workload.ends import Head
from infersim.workload.presets import load_model
from tests.pruning.expert_models import mixtral

MODEL = load_model("llama-3.1-8b")


def notes(align: int) -> list[str]:
    plan = prune(MODEL, "static-nk", 0.3, target="ffn", align=align)
    frame = compare(MODEL, plan, "h100-sxm", phase="decode", batch=[1, 2], context=1024)
    assert frame["notes"].nunique() == 1
    text: str = frame["notes"].iloc[0]
    return text.split("; ") if text else []


def test_usual_widths_need_no_note() -> None:
    assert notes(32) == []


def test_a_note_on_unusual_widths_reads_like_this() -> None:
    # 0.7 x 14336 is 10035.2, to the nearest multiple of 8: 10032.
    assert notes(8) == ["no sample has widths off the multiple of 32: 10032"]


def test_rows_off_their_boundaries_are_told_as_guessed() -> None:
    widths, rows, padding = notes(1)
    assert widths == "no sample has widths off the multiple of 32: 10035"
    assert rows.startswith("rows off 16-byte boundaries")
    assert padding.startswith("padding the FFN width from 10035 to 10048 takes ")


@pytest.mark.parametrize("vocab", [32001, 32003, 128257])
def test_an_odd_vocabulary_makes_the_lm_head_an_odd_matrix(vocab: int) -> None:
    model = replace(MODEL, vocab=vocab)
    frame = compare(model, prune(model, "static-m", 0.5), "h100-sxm", phase="decode", context=1024)
    told = f"no sample has widths off the multiple of 32: {vocab}; rows off 16-byte boundaries"
    assert frame["notes"].iloc[0].startswith(told)


def test_a_classifier_has_no_vocabulary_to_give() -> None:
    model = replace(MODEL, vocab=32001, head=Head(labels=3))
    assert predict(model, "h100-sxm", phase="decode", context=1024)["notes"].iloc[0] == ""


def test_ranks_count_and_predictions_tell_them_too() -> None:
    plan = prune(MODEL, "static-k-lowrank", 0.25)
    told = predict(plan, "h100-sxm", phase="decode", context=200_000)["notes"].iloc[0]
    position, width, *_ = told.split("; ")
    assert position == "context beyond the model's 131072 positions"
    assert width.startswith("no sample has widths")
    assert "2384" in width


@pytest.mark.parametrize("family", ["static-m", "dynamic-m", "dynamic-nk", "kv-pruning"])
def test_routers_and_masks_are_no_widths(family: str) -> None:
    frame = compare(MODEL, prune(MODEL, family, 0.5), "h100-sxm", phase="decode", context=1024)
    assert frame["notes"].iloc[0] == ""


@pytest.mark.parametrize(
    ("family", "sparsity"), [("static-e", 0.25), ("static-e", 0.375), ("dynamic-e", 0.5)]
)
def test_counts_of_experts_are_no_widths(family: str, sparsity: float) -> None:
    plan = prune(mixtral(), family, sparsity)
    told = compare(mixtral(), plan, "h200-sxm", phase="decode", context=1024)["notes"].iloc[0]
    assert "multiple of 32" not in told
    narrow = prune(mixtral(), "static-nk", 0.3, target="experts", align=8)
    told = compare(mixtral(), narrow, "h200-sxm", phase="decode", context=1024)["notes"].iloc[0]
    assert "no sample has widths off the multiple of 32: 10032" in told
