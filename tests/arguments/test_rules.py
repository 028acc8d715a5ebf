"""Faults of arguments by name, what is said about them, and what may stand for a model or a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import infersim
from infersim.domain.arguments import checked, flag, one_or_several, optional, text
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.numbers import count, number, whole
from infersim.profile_files.profiles import a_profile

sim: Any = infersim
"""Without types, which most of these calls break on purpose."""

ATTENTION: dict[str, Any] = {
    "phase": "decode",
    "batch": 1,
    "context_len": 128,
    "num_heads": 8,
    "num_kv_heads": 8,
    "head_dim": 64,
}
GPU, MODEL = "h100-sxm", "llama-3.2-1b"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sim.attention_latency(GPU, **ATTENTION, kv_copies=math.nan), r"kv_copies = nan.*integer"),
        (lambda: sim.predict(MODEL, GPU, context=8, cuda_graph="false"), r"cuda_graph = 'false'.*True or"),
        (lambda: sim.Request(prompt_len=1.0, output_len=2.0), r"prompt_len = 1.0.*an integer from 1"),
        (lambda: sim.predict(MODEL, GPU, context=8, dtype=["bf16"]), r"dtype = \['bf16'\].*a name: .*bf16"),
        (lambda: sim.gemm_latency(GPU, 8, 8, 8, act_quant=0), r"act_quant = 0; expected True or False"),
        (
            lambda: sim.gemm_latency(GPU, np.ma.MaskedArray([1, 2], mask=[False, True]), 8, 8),
            "m = MaskedArray.*mask",
        ),
        (
            lambda: sim.gemm_latency(GPU, pd.Series([1, None], dtype="Int64"), 8, 8),
            r"m = (Series|nan)",
        ),
        (lambda: sim.with_overrides(GPU, {"memory.bandwidth_gb_s": "6000"}), r"gb_s = '6000'.*finite number"),
        (lambda: sim.with_overrides(GPU, {"chip.sm_count": math.nan}), r"chip.sm_count = nan.*finite number"),
        (lambda: sim.with_overrides(GPU, [1]), r"overrides = \[1\].*a mapping"),
        (lambda: sim.compare(MODEL, [MODEL], GPU, context=8), r"plans = 'llama-3.2-1b'.*what prune returns"),
        (lambda: sim.predict(MODEL, 7, context=8), r"gpu = 7.*load_profile returns, its name or"),
        (lambda: sim.predict(None, GPU, context=8), r"model_or_plan = None.*a model, a preset's name"),
        (lambda: sim.read_samples(7), r"source = 7.*a path"),
        (lambda: sim.roofline(1, GPU), r"frame = 1; expected a frame: rows of one scenario"),
        (lambda: sim.time_by_op(pd.DataFrame({"plan": [1]})), "frame = 'plan'; expected.*kernel_ms"),
        (lambda: sim.prune(MODEL, "static-nk", 0.5, align=10**9), r"align = 1000000000.*from 1 to"),
        (lambda: sim.prune(MODEL, "static-nk", 0.5, target=["ffn"]), r"target = \['ffn'\].*a text"),
        (lambda: sim.load_model("x" * 300), r"name_or_path = 'x+\.\.\. \(str\).*255 bytes"),
    ],
)
def test_faults_are_told_with_name_value_and_expectation(call: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        call()


def test_unknown_options_and_names_list_the_known_ones() -> None:
    with pytest.raises(TypeError, match="'contxt' is no scenario option; known: phase, batch, context"):
        sim.predict(MODEL, GPU, contxt=8)
    with pytest.raises(UnknownNameError, match=r"unknown execution 'fusd': did you mean fused\?"):
        sim.predict(MODEL, GPU, context=8, execution="fusd")
    with pytest.raises(UnknownNameError, match="unknown kind of samples"):
        sim.validate(GPU, pd.DataFrame({"gpu": [GPU], "kind": ["launch"], "latency_us": [2.0]}), kinds="gem")


def test_a_name_does_wherever_the_object_does() -> None:
    plan = sim.prune(MODEL, "static-nk", 0.5)
    assert plan == sim.prune(sim.load_model(MODEL), "static-nk", 0.5)
    assert sim.prune(plan, "static-m", 0.25).family == "static-nk + static-m"
    by_name = sim.with_overrides(GPU, {"memory.bandwidth_gb_s": 3000})
    by_record = sim.with_overrides(sim.load_profile(GPU), {"memory.bandwidth_gb_s": 3000.0})
    assert by_name.memory == by_record.memory
    alone = sim.break_even(MODEL, plan, GPU, context=128)
    pd.testing.assert_frame_equal(alone, sim.break_even(MODEL, [plan], GPU, context=128))


def test_what_is_named_twice_counts_once() -> None:
    plan = sim.prune(MODEL, "static-nk", 0.5)
    twice = [GPU, sim.load_profile(GPU), "NVIDIA H100 80GB HBM3"]
    once = {"context": 128, "phase": "decode"}
    pd.testing.assert_frame_equal(sim.predict(MODEL, twice, **once), sim.predict(MODEL, GPU, **once))
    pd.testing.assert_frame_equal(
        sim.compare(MODEL, [plan, plan], twice, **once), sim.compare(MODEL, plan, GPU, **once)
    )
    pd.testing.assert_frame_equal(
        sim.free_widths(MODEL, twice, 0.3, **once), sim.free_widths(MODEL, GPU, 0.3, **once)
    )


def test_two_that_differ_cannot_bear_one_name() -> None:
    gpu = sim.load_profile(GPU)
    other = replace(gpu, memory=replace(gpu.memory, bandwidth_bytes_per_s=1e12))
    with pytest.raises(InvalidValueError, match=r"gpu = 'h100-sxm'.*different names"):
        sim.predict(MODEL, [gpu, other], context=8)
    plan = sim.prune(MODEL, "static-nk", 0.5)
    with pytest.raises(InvalidValueError, match=r"plans = 'static-nk 50 %'.*different names"):
        sim.compare(MODEL, [plan, replace(plan, transformer=plan.base)], GPU, context=8)


def test_tensors_are_taken_or_refused() -> None:
    torch = pytest.importorskip("torch")
    whole_ones = sim.gemm_latency(GPU, torch.tensor([8, 16]), 128, 128)
    np.testing.assert_array_equal(whole_ones.latency_s, sim.gemm_latency(GPU, [8, 16], 128, 128).latency_s)
    for bad in (torch.tensor([8.0], requires_grad=True), torch.tensor([8.0], dtype=torch.bfloat16)):
        with pytest.raises(InvalidValueError, match="m = Tensor of shape"):
            sim.gemm_latency(GPU, bad, 128, 128)


def test_numpys_numbers_become_pythons() -> None:
    request = sim.Request(prompt_len=np.int64(4), output_len=np.int16(2))
    assert type(request.prompt_len) is int
    assert request == sim.Request(prompt_len=4, output_len=2)
    plan = sim.prune(MODEL, "static-nk", np.float32(0.5), align=np.int32(64))
    assert plan == sim.prune(MODEL, "static-nk", 0.5, align=64)


def test_every_parameter_has_a_rule() -> None:
    with pytest.raises(TypeError, match="a rule for each parameter is wanted; see second"):

        @checked(first=text)
        def _function(first: str, second: str) -> None: ...

    with pytest.raises(TypeError, match="see third"):

        @checked(first=text, third=text)
        def _other(first: str) -> None: ...


def test_rules_reach_arguments_by_position_by_name_and_beyond() -> None:
    @checked(first=text, second=optional(count(9)), others=flag)
    def function(first: Any, /, second: Any = None, **others: Any) -> tuple[Any, ...]:
        return first, second, others

    untyped: Any = function
    assert function("a", 3, first=True) == ("a", 3, {"first": True})
    assert function("a", second=None) == ("a", None, {})
    for first, second, others in ((1, 1, {}), ("a", 10, {}), ("a", None, {"third": 1})):
        with pytest.raises(InvalidValueError):
            untyped(first, second, **others)
    with pytest.raises(TypeError, match="positional"):
        untyped("a", 1, 2)
    with pytest.raises(TypeError, match="missing"):
        untyped()


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (whole(9), [1, 9.0, [1, 2], np.int8(3)], [0, 10, 1.5, True, "1", None, [], [1, 0], [[1], [1, 2]]]),
        (count(9, low=0), [0, 9, np.uint8(3)], [-1, 10, 1.0, True, "1", None, 10**400]),
        (number("x", above=0.0, high=2.0), [2, 0.5, np.float16(1)], [0, 2.5, math.nan, True, 10**400, "1"]),
        (one_or_several(text), ["a", ["a", "b"], {"a"}], [[], "", ["a", 1], None, 1, b"a"]),
    ],
)
def test_rules(rule: Callable[[str, Any], Any], good: list[Any], bad: list[Any]) -> None:
    for value in good:
        rule("key", value)
    for value in bad:
        with pytest.raises(InvalidValueError, match="key = "):
            rule("key", value)


def test_checking_costs_a_scalar_call_next_to_nothing() -> None:
    """Of the best of many: others use the machine too."""
    gpu = sim.load_profile(GPU)

    @checked(gpu=a_profile, m=whole(2**27), n=whole(2**24), k=whole(2**24), act_quant=flag)
    def function(gpu: object, m: int, n: int, k: int, act_quant: bool = True) -> None: ...

    best = math.inf
    for _ in range(200):
        start = time.perf_counter()
        function(gpu, 16, 4096, k=4096, act_quant=True)
        best = min(best, time.perf_counter() - start)
    assert best < 50e-6
