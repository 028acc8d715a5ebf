"""Services in words and tables, and their page."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.report.serving.page import serving_page
from infersim.report.serving.tables import load_table, serve_table
from infersim.report.serving.verdict import load_verdict, serve_verdict
from infersim.simulation.serving.service import Service
from infersim.simulation.serving.under_load import Targets, under_load

MODEL, GPU = "llama-3.2-1b", "h100-sxm"


def test_a_service_is_told_in_a_sentence_and_a_table_of_what_varies() -> None:
    frame = sim.serve(MODEL, GPU, prompt=512, output=64, concurrency=[1, 8], price_per_hour=2.0)
    verdict, table = serve_verdict(frame), serve_table(frame)
    assert "with 8 requests at once" in verdict.sentences[0]
    headings = [column.heading.replace("\n", " ") for column in table.columns]
    assert headings[0] == "concurrency"
    assert "per million tokens" in headings
    assert "512 tokens read, 64 written" in table.title
    assert str(sim.summary(frame)).startswith("dense on h100-sxm under vllm writes")


def test_waiting_for_memory_is_told() -> None:
    frame = sim.serve(MODEL, "l4", prompt=4000, output=100, concurrency=2000)
    assert "Memory binds: of 2000 requests" in serve_verdict(frame).sentences[1]
    most = frame["max_concurrency"].iloc[0]
    assert most < frame["max_sequences"].iloc[0] == 256
    assert f"memory holds {most} requests to the last token" in serve_verdict(frame).sentences[0]


def test_waiting_for_a_place_among_those_that_the_engine_runs_is_told_apart() -> None:
    frame = sim.serve(MODEL, "a100-sxm-80gb", prompt=200, output=100, concurrency=400)
    first, second = serve_verdict(frame).sentences
    assert "vllm runs up to 256 requests" in first
    assert second.startswith("vllm's limit binds: of 400 requests 256 run, the others wait ")


def test_plans_under_load_are_told_with_their_causes_and_what_the_engine_says() -> None:
    plans = [sim.prune(MODEL, "static-m", 0.5), sim.prune(MODEL, "static-k-2:4")]
    frame = sim.compare_served(MODEL, plans, GPU, prompt=512, output=64, concurrency=8, tpot_target_ms=8.0)
    verdict, table = load_verdict(frame), load_table(frame)
    assert "at 8 requests at once" in verdict.sentences[0]
    assert "within the targets" in verdict.sentences[0]
    assert "GiB freed become KV blocks" in verdict.sentences[1]
    assert any(note.startswith("static-k-2:4 50 %: vllm") for note in verdict.notes)
    assert len(table.rows()) == 3
    assert sim.summary(frame).verdict == verdict


def test_plans_under_load_say_what_they_save_of_the_price() -> None:
    plan = sim.prune(MODEL, "static-m", 0.5)
    options = {"prompt": 512, "output": 64, "concurrency": 8}
    frame = sim.compare_served(MODEL, plan, GPU, price_per_hour=2.0, **options)  # type: ignore[arg-type]
    before, after = frame["price_per_million"]
    assert after * frame["speedup"].iloc[1] == pytest.approx(before)
    assert f"{100 * (1 - after / before):.1f} % less." in load_verdict(frame).sentences[1]
    assert "per million\ntokens" in [column.heading for column in load_table(frame).columns]
    free = sim.compare_served(MODEL, plan, GPU, **options)  # type: ignore[arg-type]
    assert "million" not in str(sim.summary(free))


def test_the_page_has_a_curve_for_each_plan() -> None:
    model = sim.load_model(MODEL)
    service = Service.of(prompt=512, output=64, concurrency=8)
    plans = [sim.prune(model, "static-m", 0.5)]
    found = under_load(model, plans, sim.load_profile(GPU), service, Targets.of(tpot_ms=8.0))
    page = serving_page([found])
    (panel,) = page.views[0].charts[0].panels
    assert [trace.name for trace in panel.figure.data] == ["dense", "static-m 50 %"]
    assert panel.data["concurrency"].max() == found.plans[0].most


def test_simulated_services_have_percentiles() -> None:
    frame = sim.simulate_serving(MODEL, GPU, prompt=64, output=8, rate=5.0, requests=30)
    said = sim.summary(frame)
    assert "5.00 requests a second" in said.verdict.sentences[0]
    assert "99 %" in str(said)
