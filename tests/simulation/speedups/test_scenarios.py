"""The record of a question: what makes it, what it refuses, and that it stands for the loose keywords."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import infersim as sim
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.shapes import Phase
from infersim.simulation.speedups.scenarios import DEFAULTS, RunOptions, ScenarioOptions, Scenarios
from infersim.workload.requests import Request
from infersim.workload.scenario import Execution

MODEL = "llama-3.2-1b"
BORDER = 4
"""Files that may name the keywords one by one: the record's own, and where the command line makes it."""

OF_KERNELS = "kernels"
"""The folder where kernels are asked for by themselves: their types are dimensions of them."""

lengths = st.lists(st.integers(1, 10_000), min_size=1, max_size=4)


def test_every_option_has_a_default_and_is_documented() -> None:
    assert set(ScenarioOptions.__annotations__) == set(DEFAULTS)
    assert all(f"- `{name}`" in str(ScenarioOptions.__doc__) for name in DEFAULTS)


def test_the_default_is_a_prefill_of_one_sequence_in_bf16() -> None:
    asked = Scenarios.of(context=512)
    assert (asked.phase, asked.batch, asked.context, asked.request) == ("prefill", (1,), (512,), None)
    assert asked.execution == Execution()


@given(batch=lengths, context=lengths)
def test_a_case_is_every_batch_with_every_context(batch: list[int], context: list[int]) -> None:
    cases = Scenarios.of(phase="both", batch=batch, context=context).cases()
    assert [case.phase for case in cases] == [Phase.PREFILL, Phase.DECODE]
    for case in cases:
        assert list(case.scenarios) == [(b, c) for b in batch for c in context]


def test_a_request_is_one_case_with_lengths_of_its_own() -> None:
    request = Request(prompt_len=16, output_len=5)
    (case,) = Scenarios.of(batch=[1, 2], request=request).cases()
    assert case.scenarios == ((1, 21), (2, 21))
    assert len(case.passes) == 1 + 4
    assert Scenarios.of(request="generation").request == Request(
        name="generation", prompt_len=1024, output_len=256
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 8},
        {"context": [1, 2]},
        {"phase": "decode"},
        {"kv_dtype": "fp8", "dtype": "w4a16"},
        {"execution": "separate"},
        {"cuda_graph": False},
        {"context": None, "request": "generation"},
    ],
)
def test_replacing_is_asking_anew_with_other_options(changes: ScenarioOptions) -> None:
    options: ScenarioOptions = {"phase": "both", "batch": [1, 2], "context": 512, "dtype": "fp16"}
    assert Scenarios.of(**options).replace(**changes) == Scenarios.of(**{**options, **changes})  # type: ignore[arg-type]
    assert Scenarios.of(**options).replace() == Scenarios.of(**options)


@pytest.mark.parametrize("values", [8, 8.0, [8], (8,), np.array([8]), np.int32(8)])
def test_dimensions_of_every_kind_are_whole_numbers(values: Any) -> None:
    assert Scenarios.of(batch=values, context=values) == Scenarios.of(batch=8, context=8)


@pytest.mark.parametrize(
    ("options", "error", "key"),
    [
        ({}, InvalidValueError, "context"),
        ({"context": 512, "request": "generation"}, InvalidValueError, "context"),
        ({"context": 0}, InvalidValueError, "context"),
        ({"context": []}, InvalidValueError, "context"),
        ({"context": [[1, 2]]}, InvalidValueError, "context"),
        ({"context": 512, "batch": 1.5}, InvalidValueError, "batch"),
        ({"context": 512, "phase": "train"}, UnknownNameError, "phase"),
        ({"request": "poem"}, UnknownNameError, "request"),
        ({"context": 512, "dtype": "bf17"}, UnknownNameError, "dtype"),
        ({"context": 512, "kv_dtype": "w4a16"}, UnknownNameError, "kv_dtype"),
        ({"context": 512, "execution": "eager"}, UnknownNameError, "execution"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(options: Any, error: type[Exception], key: str) -> None:
    with pytest.raises(error, match=key):
        Scenarios.of(**options)


def test_an_unknown_option_is_told_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"'contexts'.*phase, batch, context, request"):
        sim.predict(MODEL, "l4", contexts=512)  # type: ignore[call-arg]


def test_a_record_and_options_beside_it_are_refused() -> None:
    asked = Scenarios.of(context=512)
    for answer in (sim.predict, sim.frontier):
        with pytest.raises(TypeError, match="scenarios"):
            answer(MODEL, "l4", scenarios=asked, batch=2)


def test_a_record_stands_for_its_options() -> None:
    model = sim.load_model(MODEL)
    plans = [sim.prune(model, "static-nk", 0.5)]
    options: ScenarioOptions = {"phase": "decode", "batch": 8, "context": 512, "dtype": "fp16"}
    asked = Scenarios.of(**options)
    for loose, whole in (
        (sim.predict(model, "l4", **options), sim.predict(model, "l4", scenarios=asked)),
        (sim.compare(model, plans, "l4", **options), sim.compare(model, plans, "l4", scenarios=asked)),
        (sim.free_widths(model, "l4", 0.5, **options), sim.free_widths(model, "l4", 0.5, scenarios=asked)),
    ):
        pd.testing.assert_frame_equal(loose, whole)


def test_break_even_starts_from_one_batch_and_context() -> None:
    model = sim.load_model(MODEL)
    plans = [sim.prune(model, "static-nk", 0.5)]
    for options in ({"batch": [1, 2], "context": 512}, {"context": [1, 2]}, {"request": "generation"}):
        with pytest.raises(InvalidValueError):
            sim.break_even(model, plans, "l4", **options)


@pytest.mark.slow
def test_loose_keywords_are_named_at_the_border_alone() -> None:
    """Neither a signature nor a call has two keywords of how a model is run, but in a few files."""
    package = Path(sim.__file__).parent
    run = frozenset(RunOptions.__annotations__)
    found = {
        path.name: most
        for path in sorted(package.rglob("*.py"))
        if path.parent.name != OF_KERNELS
        and (most := max((len(run & names) for names in _same_names(path)), default=0)) > 1
    }
    assert len(found) <= BORDER, found


def _same_names(path: Path) -> Iterator[set[str]]:
    """Parameters of each function, and of each call the keywords whose value bears the same name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
        elif isinstance(node, ast.Call):
            yield {str(each.arg) for each in node.keywords if _last_name(each.value) == each.arg}


def _last_name(value: ast.expr) -> object:
    """`dtype` of `dtype`, of `setting.dtype` and of `setting["dtype"]`."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=name)):
            return name
    return None
