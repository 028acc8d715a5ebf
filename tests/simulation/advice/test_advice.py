"""Advice: the least sparsity for a speedup, where families pay, and widths that cost nothing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError
from infersim.pruning.families.registry import suitable_families
from infersim.simulation.advice.break_even import BATCHES, break_even, where_it_pays
from infersim.simulation.advice.target import sparsity_for
from infersim.simulation.advice.width import ALIGN, free_widths

Row = dict[Hashable, Any]

MODEL, GPU = "llama-3.2-1b", "a100-sxm-80gb"


def by(frame: pd.DataFrame, *keys: str) -> dict[Any, Row]:
    """Rows of a frame by a key, or several."""
    return {
        row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys): row
        for row in frame.to_dict("records")
    }


@pytest.mark.slow
def test_the_sparsity_reaches_the_target_and_a_little_less_does_not() -> None:
    needed = by(sparsity_for(MODEL, GPU, 1.4, phase="prefill", batch=4, context=2048), "family")
    model = sim.load_model(MODEL)
    for family in ("static-m", "static-nk", "static-k-lowrank"):
        row = needed[family]
        assert row["reached"]
        plan = sim.prune(model, family, row["sparsity"])
        again = sim.compare(model, plan, GPU, phase="prefill", batch=4, context=2048).iloc[0]
        assert again["predicted"] == pytest.approx(row["predicted"])
        assert again["predicted"] >= 1.4
    # Llama-3.2-1B has 16 layers: one less removed is too little.
    fewer = sim.prune(model, "static-m", needed["static-m"]["sparsity_realised"] - 1 / 16)
    assert sim.compare(model, fewer, GPU, phase="prefill", batch=4, context=2048)["predicted"].item() < 1.4


@pytest.mark.slow
def test_what_cannot_be_reached_says_what_is_in_the_way() -> None:
    needed = by(sparsity_for(MODEL, GPU, 3.0, phase="prefill", context=2048), "family")
    assert list(needed) == [family.name for family in suitable_families(sim.load_model(MODEL))]
    for family in ("kv-pruning", "dynamic-nk", "static-k-2:4"):
        row = needed[family]
        assert not row["reached"]
        assert row["limit"] == ("ceiling" if row["ceiling"] < 3.0 else "prediction")
        assert row["highest"] < 3.0
        assert row["plan"] == ""
    assert needed["kv-pruning"]["highest"] == 1
    assert needed["static-m"]["reached"]


@pytest.mark.slow
def test_a_higher_target_never_takes_less() -> None:
    one, other = (
        sparsity_for(MODEL, GPU, target, chosen=["static-m", "static-nk"], phase="decode", context=1024)
        for target in (1.2, 1.6)
    )
    assert (other["sparsity"] >= one["sparsity"]).all()


def test_every_scenario_has_its_answer() -> None:
    needed = sparsity_for(
        MODEL, [GPU, "l4"], 1.3, chosen=["static-m"], phase="both", batch=[1, 8], context=512
    )
    assert len(needed) == 2 * 2 * 2
    assert needed[["gpu", "phase", "batch"]].drop_duplicates().shape[0] == 8


@pytest.mark.parametrize("target", [1.0, 0.0, -2.0, float("nan"), float("inf"), 101.0])
def test_a_target_that_is_no_speedup_is_refused(target: float) -> None:
    with pytest.raises(InvalidValueError, match="target_speedup"):
        sparsity_for(MODEL, GPU, target, context=512)


@pytest.mark.parametrize(
    ("pays", "words"),
    [
        ([True] * 4, "always"),
        ([False] * 4, "never"),
        ([False, False, True, True], "from 4"),
        ([True, True, False, False], "up to 2"),
        ([False, True, True, False], "2 to 4"),
        ([False, True, False, False], "only 2"),
        ([True, False, False, False], "only 1"),
        ([True, False, False, True], "at 1, 8"),
    ],
)
def test_where_it_pays_in_words(pays: list[bool], words: str) -> None:
    assert where_it_pays([1, 2, 4, 8], pays) == words


def test_break_even_is_where_the_interval_leaves_one_behind() -> None:
    model = sim.load_model(MODEL)
    plans = [sim.prune(model, name, 0.5) for name in ("static-m", "kv-pruning", "dynamic-m")]
    found = by(break_even(model, plans, GPU, batch=1, context=2048), "phase", "family")
    assert found["prefill", "static-m"]["batches"] == "always"
    assert found["prefill", "kv-pruning"]["contexts"] == "never"
    compared = sim.compare(model, plans[2], GPU, phase="decode", batch=list(BATCHES), context=2048)
    words = where_it_pays(list(BATCHES), (compared["predicted_lower"] > 1).tolist())
    assert found["decode", "dynamic-m"]["batches"] == words


def test_a_free_width_is_aligned_and_takes_no_longer() -> None:
    found = free_widths(MODEL, GPU, 0.37, phase="both", context=2048)
    assert set(found["dimension"]) == {"FFN width", "hidden size"}
    model = sim.load_model(MODEL)
    for row in found.to_dict("records"):
        assert row["asked"] == round(0.63 * row["full"])
        assert row["nearest"] % ALIGN == 0
        assert 0 <= row["nearest"] - row["asked"] < ALIGN
        assert row["free"] == row["asked"] or row["free"] % ALIGN == 0
        assert row["kept"] == pytest.approx((row["free"] - row["asked"]) / row["full"])
    hidden = by(found, "dimension", "phase")["hidden size", "prefill"]
    if hidden["free"] > hidden["asked"]:
        wider = sim.prune(model, "static-nk-cross", 1 - hidden["free"] / model.hidden, align=1)
        again = sim.compare(model, wider, GPU, phase="prefill", context=2048)["latency_ms"].item()
        assert again <= hidden["latency_ms"] * 1.001


def test_an_aligned_width_is_its_own_next() -> None:
    found = free_widths(MODEL, GPU, 0.5, phase="prefill", context=2048)
    assert (found["nearest"] == found["asked"]).all()
    assert found["nearest_cost"].tolist() == pytest.approx([0, 0], abs=1e-9)
