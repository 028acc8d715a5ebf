"""Continuous batching in closed form: Little's law, one request alone, waiting, chunks, the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError
from infersim.simulation.serving.lengths import Lengths
from tests.simulation.serving.examples import GPU, MODEL, answer, changed


def test_littles_law_holds_with_and_without_waiting() -> None:
    found = answer(prompt=[64, 3000], output=[1, 200], concurrency=[1, 7, 100, 5000], gpu="l4")
    steady, load = found.steady, found.load
    in_system_s = steady.ttft_s + load.steps * np.nan_to_num(steady.tpot_s)
    assert steady.requests_per_s * in_system_s == pytest.approx(load.concurrency)
    assert (steady.waiting_s > 0).any()
    assert (steady.waiting_s == 0).any()


def test_no_more_prompts_are_read_before_a_first_token_than_if_all_came_at_once() -> None:
    """Eight prompts in one step: 8. Two a step: the first two wait for 2, the last two for 8, so 5."""
    eager = changed("sglang", scheduler={"batched_tokens": 8192 + 8, "together": 1.0})
    reads = answer(engine=eager, prompt=[1024, 4096], output=[64], concurrency=8).steady.reads
    assert reads.step.ravel().tolist() == [8.0, 2.0]
    assert reads.before.ravel().tolist() == [8.0, 5.0]
    assert reads.beside.ravel().tolist() == [0.0, 3 / 63]


@pytest.mark.parametrize(("engine", "waited"), [("vllm", 1.5), ("sglang", 0.5)])
def test_a_request_waits_for_a_step_in_progress_and_for_those_who_write_in_its_own(
    engine: str, waited: float
) -> None:
    """SGLang reads prompts alone. By hand for 8 requests of 63 steps: 10 ms pass while one comes, a step or
    more; each of the steps of a life reads its share of the 7 other prompts."""
    found = answer(engine=changed(engine, scheduler={"together": 0.0}, host={"request_ms": 10.0}))
    step_s, read_s = found.steady.step.seconds[0, 0], found.steady.prefill_s[0, 0]
    passed = max(1.0, 0.010 / step_s)
    before = 1 + (1 + passed) * 7 / (64 + passed)
    assert found.steady.reads.before[0, 0] == pytest.approx(before)
    assert found.steady.ttft_s[0, 0] == pytest.approx(0.010 + waited * step_s + before * read_s)


def test_where_nobody_writes_on_a_request_comes_while_others_are_read() -> None:
    """Those that come in another step are read meanwhile; where all come together, none is."""
    for together in (0.0, 1.0):
        for request_ms in (1.0, 500.0):
            engine = changed(scheduler={"together": together}, host={"request_ms": request_ms})
            found = answer(engine=engine, output=1, concurrency=4)
            passed = max(1.0, request_ms / 1e3 / found.steady.step.seconds[0, 0])
            others = 3 - max(3 * together, 3 / (1 + passed))
            read_s = found.steady.prefill_s[0, 0]
            life_s = 4 * read_s + max(0.0, request_ms / 1e3 - others * read_s)
            assert found.steady.requests_per_s[0, 0] == pytest.approx(4 / life_s)
            assert found.steady.ttft_s[0, 0] == pytest.approx(life_s)


def test_requests_that_write_unlike_others_have_less_company() -> None:
    one, two, many = (
        Lengths(prompts=np.full(12, 64.0), outputs=np.array(outputs, dtype=float))
        for outputs in ([50] * 12, [50] * 6 + [60] * 6, range(44, 56))
    )
    assert (one.alike, two.alike, many.alike) == pytest.approx((1, 1 / 2, 1 / 12))


def test_a_request_alone_is_a_prompt_and_its_steps() -> None:
    found = answer(concurrency=1)
    host = found.service.engine.host
    assert found.steady.ttft_s[0, 0] == pytest.approx(found.steady.prefill_s[0, 0] + host.request_ms / 1e3)
    assert found.steady.tpot_s[0, 0] == pytest.approx(found.steady.step.seconds[0, 0])
    # The mean context of 63 steps after a prompt of 512: 513 to 575.
    alone = found.served.decode(np.array([1.0]), np.array([544.0]))
    assert found.steady.step.seconds[0, 0] == pytest.approx(alone.seconds[0])


def test_beyond_memory_more_requests_only_wait_longer() -> None:
    rows = sim.serve(MODEL, "l4", prompt=4000, output=100, concurrency=[500, 1000, 2000])
    assert rows["tokens_per_s"].nunique() == 1
    assert rows["running"].nunique() == 1
    more = np.diff(rows["queue_ms"]) / np.diff(rows["concurrency"])
    # Each further request waits for one more to be answered.
    assert more == pytest.approx(1e3 / rows["requests_per_s"].iloc[0])


def test_a_trace_of_equal_requests_is_a_service_of_that_length(tmp_path: object) -> None:
    trace = tmp_path / "trace.csv"  # type: ignore[operator]
    trace.write_text("prompt,output\n" + "512,64\n" * 5, encoding="utf-8")
    mine = sim.serve(MODEL, GPU, trace=trace, concurrency=8).iloc[0]
    fixed = sim.serve(MODEL, GPU, prompt=512, output=64, concurrency=8).iloc[0]
    names = ["ttft_ms", "tpot_ms", "tokens_per_s", "running", "max_concurrency"]
    assert mine[names].to_numpy(dtype=float) == pytest.approx(fixed[names].to_numpy(dtype=float))
    # Long answers are in more steps than short ones.
    trace.write_text("prompt,output\n100,2\n100,400\n", encoding="utf-8")
    mixed = answer(prompt=None, output=None, trace=trace)
    assert mixed.load.context[0, 0] == pytest.approx((1 * 101 + 399 * 300) / 400)


def test_small_chunks_read_more_slowly_and_their_attention_is_the_prompts() -> None:
    whole, chunked = (
        answer(engine=changed(scheduler={"batched_tokens": budget}), prompt=4096).steady.prefill_s[0, 0]
        for budget in (8192, 256)
    )
    assert whole < chunked < 3 * whole


def test_the_host_is_a_floor_of_small_steps_and_adds_to_all() -> None:
    alike: dict[str, Any] = {"capabilities": []}
    quick = changed(host={"step_ms": 0.0, "sequence_us": 0.0, "hidden_ms": 0.0}, newer_gpus=alike)
    slow = changed(host={"step_ms": 2.0, "sequence_us": 100.0, "hidden_ms": 50.0}, newer_gpus=alike)
    one, other = (answer(engine=engine, concurrency=4).steady.step for engine in (quick, slow))
    assert one.host_s[0, 0] == pytest.approx(0)
    assert other.seconds[0, 0] == pytest.approx(0.050 + 0.002 + 4 * 100e-6)
    # Beyond the graphs the host issues each kernel.
    eager = changed(kernels={"graph_batch": 0}, host={"kernel_us": 1000.0})
    assert answer(engine=eager).steady.step.seconds[0, 0] > 0.1


def test_what_is_asked_must_be_possible() -> None:
    with pytest.raises(InvalidValueError, match=r"gpus = 2; expected 1: PruningInferSim"):
        sim.serve(MODEL, GPU, prompt=8, output=8, gpus=2, engine="pruninginfersim")
    with pytest.raises(InvalidValueError, match=r"output = None.*--output"):
        sim.serve(MODEL, GPU, prompt=8)
    with pytest.raises(InvalidValueError, match=r"concurrency = 'most'.*max"):
        sim.serve(MODEL, GPU, prompt=8, output=8, concurrency="most")
    with pytest.raises(TypeError, match="no option of a service"):
        sim.serve(MODEL, GPU, prompt=8, output=8, batch=8)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt,output\n-4,3\n", r"line 2: prompt = '-4'"),
        ("prompt,output\n4,\n", r"line 2: output = None"),
        ("prompt,output\n4,2.5\n", r"output = '2.5'"),
        ("prompt,output\n", r"rows = 0; expected at least one request"),
        ("read,made\n4,4\n", r"a column prompt or prompt_len"),
    ],
)
def test_a_trace_must_hold_lengths(tmp_path: object, text: str, said: str) -> None:
    trace = tmp_path / "trace.csv"  # type: ignore[operator]
    trace.write_text(text, encoding="utf-8")
    with pytest.raises(sim.InfersimError, match=said):
        sim.serve(MODEL, GPU, trace=trace)


def test_a_price_is_that_of_the_tokens_of_an_hour() -> None:
    row = sim.serve(MODEL, GPU, prompt=64, output=32, price_per_hour=3.6).iloc[0]
    assert row["price_per_million"] == pytest.approx(3.6 / (row["tokens_per_s"] * 3600) * 1e6)


def test_energy_is_that_of_steps_and_prompts_and_watts_stay_within_the_board() -> None:
    rows = sim.serve(MODEL, GPU, prompt=512, output=64, concurrency=[1, 64])
    alone = rows.iloc[0]
    found = answer(concurrency=1)
    joules = 63 * found.steady.step.joules[0, 0] + found.load.reading.joules[0, 0]
    assert alone["energy_j_per_request"] == pytest.approx(joules)
    assert alone["energy_j_per_token"] == pytest.approx(joules / 64)
    # Sixty-four requests share the weights that a step reads.
    assert rows["energy_j_per_token"].iloc[1] < alone["energy_j_per_token"] / 5
    limit = sim.load_profile(GPU).chip.tdp_w
    assert limit is not None
    assert (rows["watts"] < limit).all()
