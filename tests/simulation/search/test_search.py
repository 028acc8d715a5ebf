"""The search against every plan there is, its targets in full predictions, its limits, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError, UnsupportedError
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.simulation.search.problem import Problem
from infersim.simulation.search.searching import solved
from infersim.simulation.search.solving import Solver, search_for
from infersim.simulation.search.spaces.choices import DENSE, Choice, Sublayer
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.plan_text import plan_text
from infersim.simulation.search.table import table_of
from tests.simulation.search.toys import (
    DECODE,
    TEXTS,
    every_plan,
    gpu,
    losses,
    problem,
    random_losses,
    toy,
)

SERVED: dict[str, Any] = {"engine": "vllm", "prompt": 1000, "output": 200, "concurrency": 32}


def best_of_all(found: Problem) -> float:
    """The least loss among all plans whose table meets each target exactly: two latencies and memory."""
    dense = found.setting.predicted([found.plan([0] * len(found.space.slots))], found.targets)[0]
    solver = Solver(found, 10, 1e-6)
    kept = [0] * len(found.space.slots)
    bounds = {
        goal.measure: float(found.measures[goal.measure].total(found.entries.chosen(kept)))
        / goal.excess(found.targets)
        for goal in dense.goals
    }
    best = np.inf
    for places in every_plan(found):
        entries = found.entries.chosen(places)
        if all(float(found.measures[name].total(entries)) <= bound for name, bound in bounds.items()):
            best = min(best, solver.loss(places))
    return float(best)


@pytest.mark.parametrize(
    ("seed", "targets"),
    [
        (0, {"speedup": 1.3}),
        (1, {"speedup": 1.8}),
        (2, {"latency_ms": 0.12, "speedup": 1.2}),
        (3, {"memory_gib": 0.2, "tpot_ms": 0.15}),
    ],
)
def test_it_finds_what_looking_at_every_plan_finds(seed: int, targets: dict[str, Any]) -> None:
    found = problem(toy(3), random_losses(toy(3), TEXTS, seed), **targets)
    answer, _ = search_for(Solver(found, 20, 1e-6))
    assert answer is not None
    assert answer.loss == pytest.approx(best_of_all(found), rel=1e-5)


def test_few_shapes_and_groups_are_what_looking_at_every_plan_finds() -> None:
    importance = random_losses(toy(3), TEXTS, 5)
    for limits in (Limits(shapes=1), Limits(group=3), Limits(shapes=2)):
        found = problem(toy(3), importance, limits=limits, speedup=1.4)
        answer, state = search_for(Solver(found, 20, 1e-6))
        assert answer is not None
        bound = float(state.bounds[0])
        solver, best = Solver(found, 10, 1e-6), np.inf
        for places in every_plan(found):
            made = [
                (slot.sublayer, slot.made[place])
                for slot, place in zip(found.space.slots, places, strict=True)
                if slot.made[place] is not None
            ]
            most = max(len({m for s, m in made if s is name}) for name in Sublayer)
            equal = len({places[::2], tuple(places[:1] * 3)}) == 1 and len({*places[1::2]}) == 1
            allowed = most <= (limits.shapes or 9) if limits.shapes else equal
            entries = found.entries.chosen(places)
            if allowed and float(found.measures["latency_ms[0]"].total(entries)) <= bound:
                best = min(best, solver.loss(places))
        assert answer.loss == pytest.approx(best, rel=1e-5), limits


@pytest.mark.slow
@pytest.mark.parametrize(
    "targets",
    [
        {"speedup": 1.4},
        {"speedup": 1.4, "sure": 0.9},
        {"tpot_ms": 4.0, "ttft_ms": 220.0, "memory_gib": 14.0, "sure": 0.8},
    ],
)
def test_the_full_prediction_meets_the_targets(targets: dict[str, Any]) -> None:
    options: dict[str, Any] = {
        "phase": "both" if "ttft_ms" in targets else "decode",
        "batch": 8,
        "context": 2048,
    }
    found = problem(
        sim.load_model("llama-3.1-8b"),
        "depth",
        texts=None,
        options=options,
        limits=Limits(group=4),
        **targets,
    )
    answer = solved(found, points=0, uniform=False)
    assert answer.goals["met"].all()
    compared: Any = sim.compare(found.model, [answer.plan], gpu(), **options)
    if "speedup" in targets:
        side = "predicted_lower" if "sure" in targets else "predicted"
        assert compared[side].min() >= 1.4
        assert compared["predicted"].min() <= 1.4 * (1.25 if "sure" in targets else 1.03)
    else:
        predicted: Any = sim.predict(answer.plan, gpu(), **options).set_index("phase")
        assert predicted.loc["decode", "latency_ms"] <= 4.0
        assert predicted.loc["prefill", "latency_ms"] <= 220.0
        assert predicted["memory_gib"].max() <= 14.0


def test_a_served_plan_meets_targets_as_served() -> None:
    model = sim.load_model("llama-3.1-8b")
    options = {**SERVED, "price_per_hour": 2.0}
    targets: dict[str, Any] = {"speedup": 1.3, "tpot_ms": 7.4, "price_per_million": 0.3, "memory_gib": 30.0}
    texts = {"attention": ["kv_heads=4", "none"], "ffn": ["width=25%..75%/25%"]}
    found = problem(model, "uniform", texts=texts, options=options, **targets)
    answer = solved(found, points=0, uniform=False)
    served = sim.compare_served(model, [answer.plan], gpu(), **options).iloc[1]
    assert served["speedup"] >= 1.3
    assert served["tpot_ms"] <= 7.4
    assert served["price_per_million"] <= 0.3
    assert served["memory_gib"] <= 30.0
    assert answer.answer["predicted"].iloc[0] == pytest.approx(served["speedup"])
    assert answer.answer["runs"].iloc[0] == "needs"


def test_more_certainty_costs_more() -> None:
    importance = random_losses(toy(4), TEXTS, 9)
    found = [
        solved(problem(toy(4), importance, speedup=1.4, sure=sure), points=0, uniform=False)
        for sure in (0.5, 0.8, 0.95)
    ]
    lost = [float(each.answer["loss"].iloc[0]) for each in found]
    assert lost[0] <= lost[1] <= lost[2]
    assert lost[0] < lost[2]
    kept = found[2].goals.iloc[0]
    assert kept["kept"] < kept["value"]


def test_where_middle_layers_matter_least_no_uniform_plan_is_as_good() -> None:
    """Losses fall towards the middle: each uniform plan of the same predicted time loses more."""
    model = toy(8)
    texts = {"attention": ["kv_heads=2", "kv_heads=1"], "ffn": ["width=12.5%..87.5%/12.5%", "none"]}
    importance = losses(
        model, texts, lambda layer, _, place: (1 + abs(layer - 3.5) ** 2) * (place / 9) ** 1.5
    )
    found = solved(problem(model, importance, texts=texts, speedup=1.5), points=6)
    loss = float(found.answer["loss"].iloc[0])
    same_time = found.uniform[found.uniform["compared"] == "at the same time"]
    assert len(same_time) >= 2
    assert (same_time["loss"] > 1.02 * loss).all()
    assert (same_time["predicted"] >= found.answer["predicted"].iloc[0] * 0.999).all()
    same_loss = found.uniform[found.uniform["compared"] == "at the same loss"]
    assert (same_loss["predicted"] < found.answer["predicted"].iloc[0]).all()
    by_layer = found.layers.set_index("layer")
    assert by_layer.loc[[3, 4], "share"].sum() < by_layer.loc[[0, 7], "share"].sum()


def test_the_curve_falls_and_holds_the_answer() -> None:
    found = solved(problem(toy(4), random_losses(toy(4), TEXTS, 3), speedup=1.4), points=8, gap=1e-6)
    curve = found.curve
    assert curve["answer"].sum() == 1
    assert all(one <= two * 1.01 + 1e-9 for one, two in pairwise(curve["loss"]))
    assert curve["predicted"].iloc[0] == pytest.approx(1.0)
    own = curve[curve["answer"]].iloc[0]
    assert own["loss"] == pytest.approx(found.answer["loss"].iloc[0])


def test_the_plan_file_makes_the_plan(tmp_path: Path) -> None:
    model = sim.load_model("llama-3.2-1b")
    texts = {
        "attention": ["kv_heads=4", "heads=50%+kv_heads=50%", "linear=128", "none", "lowrank=0.5"],
        "ffn": ["width=50%+fp8", "2:4", "linear", "none", "w4a16"],
    }
    chance = np.random.default_rng(4)
    importance = losses(model, texts, lambda *_: float(chance.uniform(0.1, 1.0)))
    found = solved(problem(model, importance, texts=texts, speedup=1.7), points=0, uniform=False)
    found.write_plan(tmp_path / "plan.toml")
    read = plan_from_file(tmp_path / "plan.toml")
    assert read.transformer == found.plan.transformer
    assert read.title == "searched"


def test_what_an_engine_runs_is_all_that_is_taken() -> None:
    """vLLM builds all layers from one width: layers are equal or gone. TensorRT-LLM takes each its own."""
    model = sim.load_model("llama-3.2-1b")
    keywords: dict[str, Any] = {"target_speedup": 1.4, "points": 0, "uniform": False, **DECODE}
    one = sim.search(model, gpu(), "depth", runs_on="vllm", **keywords)
    own = sim.search(model, gpu(), "depth", runs_on="tensorrt-llm", **keywords)
    assert len(tuple(one.plan.transformer.grouped_blocks())) == 1
    assert one.answer["runs"].iloc[0] == "yes"
    assert own.answer["runs"].iloc[0] == "yes"
    assert own.answer["loss"].iloc[0] <= one.answer["loss"].iloc[0] * 1.001
    assert any("2:4" in note for note in one.notes)


def test_limits_are_kept() -> None:
    model = sim.load_model("llama-3.2-1b")
    found = sim.search(
        model,
        gpu(),
        "uniform",
        choices={
            "attention": ["heads=24+kv_heads=6", "kv_heads=50%", "kv_heads=25%"],
            "ffn": ["width=1000..8000/500"],
        },
        target_speedup=1.2,
        multiple=1000,
        keep=[0, -1],
        shapes=3,
        tensor_parallel=4,
        points=0,
        uniform=False,
        **DECODE,
    )
    layers = found.layers.set_index("layer")
    assert (layers.loc[[0, 15], ["attention", "ffn"]] == "kept").all().all()
    widths = {text for text in layers["ffn"] if text != "kept"}
    assert all(int(text.removeprefix("width=")) % 1000 == 0 for text in widths)
    assert len(set(layers["ffn"])) <= 3
    assert set(layers["attention"]) <= {"kept", "kv_heads=4", "kv_heads=2"}
    assert any("6 KV heads and 4 GPUs" in note for note in found.notes)


def test_targets_beyond_reach_name_the_best_and_what_binds() -> None:
    importance = random_losses(toy(3), TEXTS, 1)
    with pytest.raises(InvalidValueError, match=r"at most speedup .*the choices themselves bind"):
        solved(problem(toy(3), importance, speedup=500.0))
    with pytest.raises(InvalidValueError, match=r"without the limit keep it is met"):
        solved(problem(toy(3), importance, limits=Limits(keep=(0, 1)), speedup=2.5))
    with pytest.raises(InvalidValueError, match=r"binds; each alone reaches speedup .*, memory"):
        solved(problem(toy(3), importance, speedup=1.1, memory_gib=0.001))


def test_out_of_time_the_best_plan_so_far_comes_with_its_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver's word for it: a plan, and a bound that is still 30 % below."""
    from types import SimpleNamespace

    import scipy.optimize

    real = scipy.optimize.milp

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        found = real(*arguments, **keywords)
        return SimpleNamespace(status=1, x=found.x, mip_gap=0.3, message="time limit")

    monkeypatch.setattr(scipy.optimize, "milp", interrupted)
    found = solved(problem(toy(3), random_losses(toy(3), TEXTS, 2), speedup=1.3), points=0, uniform=False)
    assert bool(found.answer["timed_out"].iloc[0])
    assert found.answer["gap"].iloc[0] == pytest.approx(0.3)
    assert "best plan so far" in found.notes[0]


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({}, InvalidValueError, "at least one of target_speedup"),
        ({"target_speedup": -1}, InvalidValueError, "a number above 0"),
        ({"target_speedup": float("nan")}, InvalidValueError, "a number above 0"),
        ({"target_speedup": 1.2, "sure": 0.2}, InvalidValueError, "a probability"),
        ({"target_ttft_ms": 3}, InvalidValueError, "none here"),
        ({"target_price_per_million": 3}, InvalidValueError, "without a service"),
        ({"target_speedup": 1.2, "runs_on": "vlm"}, UnknownNameError, "did you mean vllm"),
        ({"target_speedup": 1.2, "keep": ["a"]}, InvalidValueError, "layers, numbered"),
        ({"target_speedup": 1.2, "group": -1}, InvalidValueError, "an integer from 0"),
        ({"target_speedup": 1.2, "choices": {"ffn": ["fp8"]}}, UnsupportedError, "no rule says"),
        ({"target_speedup": 1.2, "importance": "missing.csv"}, InfersimError, "missing.csv"),
    ],
)
def test_what_cannot_be_asked_is_told(keywords: dict[str, Any], error: type[Exception], words: str) -> None:
    importance = keywords.pop("importance", "depth")
    with pytest.raises(error, match=words):
        sim.search(toy(2), gpu(), importance, **keywords, **DECODE)


def test_stated_losses_count_whether_or_not_anybody_measured_them() -> None:
    stated = random_losses(toy(3), TEXTS, 2)
    guessed = replace(stated, label="a guess", measured=False)
    of_both = [
        solved(problem(toy(3), each, speedup=1.3), points=0, uniform=False) for each in (stated, guessed)
    ]
    assert of_both[0].plan == of_both[1].plan
    assert of_both[0].answer["loss"].iloc[0] == of_both[1].answer["loss"].iloc[0]
    assert "Importance is by a guess." in of_both[1].notes


def test_without_a_limit_a_rule_is_the_same_rule() -> None:
    found = problem(toy(4), "uniform", limits=Limits(multiple=64), speedup=1.1)
    assert found.without("multiple").importance.label == found.importance.label


def test_rules_are_labelled_as_such() -> None:
    found = sim.search(toy(3), gpu(), "depth", target_speedup=1.2, points=0, uniform=False, **DECODE)
    assert not found.answer["measured"].iloc[0]
    assert "not measured" in found.notes[0]
    assert "rule 'depth': not measured" in found.plan_text


def test_at_least_one_sublayer_stays() -> None:
    free = losses(toy(2), {"attention": ["none"], "ffn": ["none"]}, lambda *_: 0.0)
    texts = {"attention": ["none"], "ffn": ["none"]}
    found = solved(problem(toy(2), free, texts=texts, speedup=1.1), points=3)
    assert len(found.plan.transformer.blocks) >= 1


def test_the_dense_model_is_the_answer_where_it_meets_the_targets() -> None:
    found = solved(problem(toy(2), random_losses(toy(2), TEXTS, 0), speedup=1.0), points=4)
    assert found.plan.transformer == toy(2)
    assert found.answer["loss"].iloc[0] == 0
    assert found.curve["loss"].min() == 0


# ModelOpt's guide, NVIDIA/Model-Optimizer@11f4e32, examples/pruning/minitron_vs_puzzletron, section 4.3: the
# layers without attention, and the FFN widths that are not 12288.
GUIDE_WITHOUT = (4, 5, 7, 8, 9, 10, 11, 16, 20, 25, 26, 27, 28, 30, 31)
GUIDE_WIDTHS = {
    **dict.fromkeys((1, 2), 5120),
    **dict.fromkeys((3, 20), 7424),
    **dict.fromkeys((4, 5, 7, 8, 9, 16, 35), 9984),
}


def test_the_published_plan_of_qwen3_8b_is_stated_tabled_and_predicted(tmp_path: Path) -> None:
    """It has 7.07 billion parameters, as the guide prints."""
    model = sim.load_model("qwen3-8b")
    choices = {"attention": ["none"], "ffn": [f"width={width}" for width in set(GUIDE_WIDTHS.values())]}
    options: dict[str, Any] = {"phase": "decode", "batch": 64, "context": 8192}
    table = table_of(model, sim.load_profile("h200-sxm"), choices, None, options)
    wanted = {(layer, Sublayer.ATTENTION): Choice(removed=True) for layer in GUIDE_WITHOUT}
    wanted |= {(layer, Sublayer.FFN): Choice(ffn_width=width) for layer, width in GUIDE_WIDTHS.items()}
    places = [
        slot.choices.index(wanted.get((slot.layer, slot.sublayer), DENSE)) for slot in table.space.slots
    ]
    (tmp_path / "guide.toml").write_text(plan_text(table.space, places, "guide"))
    plan = plan_from_file(tmp_path / "guide.toml")
    entries = table.entries.chosen(places)
    quantities = table.scenarios[0][1]
    assert round(float(quantities["parameters"].total(entries)) / 1e9, 2) == 7.07
    compared = sim.compare(model, [plan], "h200-sxm", **options).iloc[0]
    predicted = sim.predict(plan, "h200-sxm", **options).iloc[0]
    assert float(quantities["latency_ms"].total(entries)) == pytest.approx(predicted["latency_ms"])
    assert 1.4 < compared["predicted"] < 36 / 21
