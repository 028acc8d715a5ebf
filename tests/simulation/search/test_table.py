"""Latency tables: sums are whole models, in scenarios, requests and services, on one GPU and on several."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError, InvalidValueError, UnsupportedError
from infersim.pruning.families.static_m import is_empty
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.simulation.search.importance.losses import by_rule
from infersim.simulation.search.settings.served import InService
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.plan_text import plan_text
from infersim.simulation.search.spaces.space import space_of
from infersim.simulation.search.table import REMAINDER, LatencyTable, table_frame, table_of
from infersim.workload.sizes import expert_layer
from infersim.workload.transformer import Attention, Block, FeedForward, Transformer, has_experts
from tests.simulation.search.toys import DECODE, gpu, toy

PLANS = 20


def random_places(table: LatencyTable, chance: np.random.Generator) -> list[int]:
    return [int(chance.integers(len(slot.choices))) for slot in table.space.slots]


def plan_of(table: LatencyTable, places: list[int]) -> Plan:
    blocks = tuple(block for block in table.space.blocks(places) if not is_empty(block))
    return Plan(base=table.model, transformer=table.model.with_blocks(blocks), name="random")


@pytest.mark.parametrize(
    "options",
    [
        {"phase": "both", "batch": [1, 16], "context": 2048},
        {"request": sim.Request(prompt_len=512, output_len=64), "batch": 4},
        {"phase": "decode", "batch": 8, "context": 4096, "gpus": 2},
    ],
    ids=["scenarios", "a request", "two GPUs"],
)
def test_sums_are_full_predictions_of_random_plans(options: dict[str, Any]) -> None:
    model, chance = toy(), np.random.default_rng(0)
    table = table_of(model, gpu(), None, None, options)
    columns = [table.scenarios[row][1] for row in range(len(table.scenarios))]
    for _ in range(PLANS):
        places = random_places(table, chance)
        plan = plan_of(table, places)
        predicted = sim.predict(plan, gpu(), **options)
        entries = table.entries.chosen(places)
        summed = {
            name: np.array([float(each[name].total(entries)) for each in columns])
            for name in ("latency_ms", "memory_gib", "floor_ms")
        }
        np.testing.assert_allclose(summed["latency_ms"], predicted["latency_ms"], rtol=1e-9)
        # Activations are the dense model's: no less memory than the plan needs.
        assert (summed["memory_gib"] >= 0.99 * predicted["memory_gib"]).all()
        assert (summed["floor_ms"] <= predicted["latency_ms"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"engine": "vllm", "prompt": 1000, "output": 200, "concurrency": 64},
        {"engine": "tensorrt-llm", "prompt": 1000, "output": 200, "concurrency": 64, "dtype": "fp8"},
        {"engine": "vllm", "prompt": 8000, "output": 200, "concurrency": 16, "cached": 0.9},
        {"engine": "tensorrt-llm", "prompt": 20_000, "output": 100, "concurrency": 4, "cached": 0.2},
        {"engine": "tensorrt-llm", "prompt": 20_000, "output": 100, "concurrency": 4},
    ],
)
def test_sums_are_full_predictions_of_a_served_model(options: dict[str, Any]) -> None:
    """At the number of requests that run, and where kernels bound steps and not the host."""
    model, chance = sim.load_model("llama-3.1-8b"), np.random.default_rng(1)
    table = table_of(
        model, gpu(), {"attention": ["kv_heads=4"], "ffn": ["width=50%", "linear"]}, None, options
    )
    assert isinstance(table.setting, InService)
    measures = table.setting.measures(table.entries, None)
    for _ in range(PLANS):
        places = random_places(table, chance)
        plan = plan_of(table, places)
        served = sim.serve(plan, gpu(), **options).iloc[0]
        entries = table.entries.chosen(places)
        for name, off in (("tpot_ms", 0.01), ("ttft_ms", 0.03), ("memory_gib", 0.01)):
            assert float(measures[name].total(entries)) == pytest.approx(served[name], rel=off), name


def _parallel(block: Block, place: int) -> Block:
    """Both sublayers behind one norm, and a window in every other layer."""
    attention, ffn = block.attention, block.ffn
    assert isinstance(attention, Attention)
    assert isinstance(ffn, FeedForward)
    window = 512 if place % 2 else None
    return replace(
        block, attention=replace(attention, window=window), ffn=replace(ffn, norm=None), parallel=True
    )


def test_blocks_that_share_work_sum_within_one_percent() -> None:
    """Parallel blocks with one norm, and layers with windows between others."""
    dense = toy(4)
    model = dense.with_blocks(tuple(_parallel(block, place) for place, block in enumerate(dense.blocks)))
    table, chance = table_of(model, gpu(), None, None, DECODE), np.random.default_rng(2)
    for places in [[0] * len(table.space.slots), *(random_places(table, chance) for _ in range(PLANS))]:
        predicted = sim.predict(plan_of(table, places), gpu(), **DECODE)["latency_ms"].iloc[0]
        summed = float(table.scenarios[0][1]["latency_ms"].total(table.entries.chosen(places)))
        assert summed == pytest.approx(predicted, rel=0.01)


def test_a_frame_has_a_row_for_each_choice_and_the_rest() -> None:
    frame = sim.latency_table(toy(2), gpu(), choices={"ffn": ["width=1024", "none"]}, **DECODE)
    assert len(frame) == 2 * 3 + 1
    assert set(frame["layer"]) == {-1, 0, 1}
    rest = frame[frame["sublayer"] == REMAINDER]
    kept = frame[frame["choice"] == "kept"]
    predicted = sim.predict(toy(2), gpu(), **DECODE)
    assert rest["latency_ms"].sum() + kept["latency_ms"].sum() == pytest.approx(
        predicted["latency_ms"].iloc[0]
    )
    gone = frame[frame["choice"] == "none"]
    assert (gone[["latency_ms", "floor_ms", "parameters", "flops", "memory_gib"]] == 0).all().all()
    assert (frame.loc[frame["choice"] == "width=1024", "ffn_width"] == 1024).all()


def test_narrower_costs_less_and_floors_are_below_times() -> None:
    widths = [f"width={width}" for width in range(512, 4096, 512)]
    frame = sim.latency_table(toy(1), gpu(), choices={"ffn": widths}, **DECODE)
    ordered = frame[frame["ffn_width"] > 0].sort_values("ffn_width")
    for column in ("floor_ms", "parameters", "flops", "memory_gib"):
        assert ordered[column].is_monotonic_increasing
    assert (ordered["floor_ms"] <= ordered["latency_ms"]).all()


def test_parameters_and_flops_are_counted_by_hand() -> None:
    """An FFN of w channels over h: 3 h w values and a norm of h; 2 FLOPs for each value and token."""
    frame = sim.latency_table(toy(1), gpu(), choices={"ffn": ["width=1024"]}, **DECODE)
    row = frame[frame["choice"] == "width=1024"].iloc[0]
    assert row["parameters"] == 3 * 1024 * 1024 + 1024
    assert row["flops"] == pytest.approx(2 * 8 * 3 * 1024 * 1024)


@pytest.mark.slow
def test_ten_thousand_entries_take_less_than_a_second() -> None:
    model = sim.load_model("llama-3.1-70b")
    choices = {"attention": ["kv_heads=4", "none"], "ffn": ["width=256..28672/224"]}
    sim.latency_table(toy(1), gpu(), choices={"ffn": ["none"]}, **DECODE)  # what a first call imports
    before = time.process_time()
    frame = sim.latency_table(model, gpu(), choices=choices, **DECODE)
    assert len(frame) > 10_000
    assert time.process_time() - before < 1.0


def test_formats_are_choices() -> None:
    frame = sim.latency_table("llama-3.1-8b", gpu(), choices={"ffn": ["fp8", "width=50%+fp8"]}, **DECODE)
    by_choice: Any = frame[frame["layer"] == 0].set_index("choice")
    assert by_choice.loc["fp8", "memory_gib"] == pytest.approx(
        by_choice.loc["kept", "memory_gib"] / 2, rel=0.01
    )
    assert by_choice.loc["width=7168+fp8", "latency_ms"] < by_choice.loc["fp8", "latency_ms"]


def _of_experts() -> Transformer:
    """A dense layer, then layers of 64 experts of which a token runs 8."""
    ffn = expert_layer(hidden=1024, width=512, num_experts=64, top_k=8)
    first, *others = toy().blocks
    return replace(toy(), blocks=(first, *(replace(block, ffn=ffn) for block in others)))


@pytest.mark.parametrize(
    "options",
    [
        {"routing": "power_law_1.2"},
        {"gpus": 2},
        {"gpus": 4, "expert_parallel": True, "routing": "power_law_1.2"},
    ],
)
def test_sums_of_layers_of_experts_are_full_predictions(options: dict[str, Any], tmp_path: Path) -> None:
    model = _of_experts()
    ffn = ["width=2048", "experts=32", "top_k=4", "experts=16+top_k=2+expert_width=256", "fp8", "linear"]
    choices = {"attention": ["kv_heads=2", "none", "fp8"], "ffn": [*ffn, "none"]}
    table = table_of(model, gpu(), choices, None, DECODE | options)
    chance = np.random.default_rng(4)
    for _ in range(PLANS):
        places = random_places(table, chance)
        plan = plan_of(table, places)
        if not has_experts(plan.transformer):  # nothing to route
            continue
        found = sim.predict(plan.transformer, gpu(), **DECODE, **options).iloc[0]
        total = table.scenarios[0][1]["latency_ms"].total(table.entries.chosen(places))
        assert float(total) == pytest.approx(float(found["latency_ms"]), rel=0.01)
        file = tmp_path / "plan.toml"
        file.write_text(plan_text(table.space, places, "random"))
        assert plan_from_file(file, model).transformer == plan.transformer


def test_fewer_experts_of_a_token_lose_by_a_rule() -> None:
    space = space_of(_of_experts(), {"ffn": ["experts=32", "top_k=4", "experts=32+top_k=4"]}, Limits())
    lost = by_rule("uniform", space).of_slot(next(slot for slot in space.slots if slot.layer == 1))
    assert lost == pytest.approx([0, 0.5**2, 0.5**2, 0.75**2], rel=0.01)  # a router stays, small


def test_no_experts_left_divide_by_any_rule() -> None:
    options: dict[str, Any] = {"gpus": 2, "expert_parallel": True}
    with pytest.raises(InvalidValueError, match="at most speedup"):
        sim.search(
            _of_experts(), gpu(), "uniform", choices={"ffn": ["none"]}, target_speedup=50, **DECODE, **options
        )


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"ffn": ["width=9999999"]}, "at most 4096"),
        ({"ffn": ["width"]}, "width=N"),
        ({"ffn": ["heads=4"]}, "for ffn"),
        ({"ffn": ["none+fp8"]}, "none alone"),
        ({"ffn": []}, "at least one choice"),
        ({"ffn": ["kept"]}, "at least one that a layer"),
        ({}, "attention and ffn"),
        ({"norm": ["none"]}, "one of attention, ffn"),
        ({"ffn": ["width=1..99999999/1"]}, "at most 4096 steps"),
        ({"ffn": ["width=8..4"]}, "from less to more"),
        ({"attention": ["heads=6+kv_heads=4"]}, "that divide them"),
        ({"ffn": ["lowrank=2"]}, "between 0 and 1"),
        ({"attention": ["linear=900"]}, "a rank below"),
        ({"attention": ["heads=4+heads=8"]}, "each property once"),
        ({"ffn": ["kept+fp8"]}, "each property once, and kept alone"),
        ({"ffn": ["width=0%"]}, "percentages above 0"),
        ({"ffn": ["width=0%..50%/25%"]}, "percentages above 0"),
        ({"ffn": ["experts=50%"]}, "ffn experts=50%: a share of what no layer of .* has"),
        ("ffn", "a mapping"),
    ],
)
def test_bad_choices_are_told(choices: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        sim.latency_table(toy(1), gpu(), choices=choices, **DECODE)


def test_formats_stand_beside_16_bit_only_and_gpus_must_have_them() -> None:
    with pytest.raises(UnsupportedError, match="expected no dtype"):
        sim.latency_table(toy(1), gpu(), choices={"ffn": ["w4a16"]}, dtype="fp8", **DECODE)
    with pytest.raises(UnsupportedError, match="fp8"):
        sim.latency_table(toy(1), "v100-sxm", choices={"ffn": ["fp8"]}, **DECODE)
    frame = sim.latency_table(toy(1), "v100-sxm", dtype="fp16", **DECODE)
    assert "fp8" not in set(frame["choice"])


def test_layers_that_gpus_cannot_share_are_left_out() -> None:
    model: Transformer = toy(1)
    table = table_of(model, gpu(), {"attention": ["heads=6+kv_heads=3", "none"]}, None, {**DECODE, "gpus": 4})
    assert {choice.text for choice in table.space.slots[0].choices} == {"kept", "none"}
    assert "3 KV heads and 4 GPUs" in table.left_out[0] or "6 query heads" in table.left_out[0]


def test_a_share_of_what_no_layer_has_is_told_of_choices_that_somebody_named() -> None:
    asked = {"ffn": ["experts=50%", "none"]}
    assert table_of(toy(1), gpu(), asked, None, DECODE).left_out[0].startswith("ffn experts=50%: a share")
    assert not any("a share of" in each for each in table_of(toy(1), gpu(), None, None, DECODE).left_out)


def test_a_service_has_one_length_and_fits() -> None:
    with pytest.raises(InvalidValueError, match="one length"):
        sim.latency_table("llama-3.1-8b", gpu(), engine="vllm", prompt=[100, 200], output=10)
    with pytest.raises(InfersimError, match="does not fit"):
        sim.latency_table("llama-3.1-70b", gpu(), engine="vllm", prompt=100, output=10)
    with pytest.raises(InvalidValueError, match=r"gpus = '1, 2'; expected one number of GPUs"):
        sim.latency_table(toy(1), gpu(), gpus=[1, 2], **DECODE)


def test_a_summary_says_what_is_there_to_choose() -> None:
    frame = sim.latency_table(toy(2), gpu(), **DECODE)
    said = str(sim.summary(frame))
    assert "remainder" in said
    assert "in sublayers that have choices" in said
    assert frame.equals(table_frame(table_of(toy(2), gpu(), None, None, DECODE)))
