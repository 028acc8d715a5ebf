"""Prompts that the engine has in its cache in part (prefix caching)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError
from infersim.simulation.serving.lengths import Lengths
from tests.simulation.serving.examples import GPU, MODEL, answer

LOAD: dict[str, Any] = {"prompt": 4096, "output": 128, "concurrency": 16}


def test_tokens_that_are_found_are_whole_and_never_the_last() -> None:
    lengths = Lengths(prompts=np.array([1.0, 10.0, 99.0]), outputs=np.ones(3), cached=0.95)
    assert lengths.found(lengths.prompts).tolist() == [0.0, 9.0, 94.0]
    assert lengths.new == (1 + 1 + 5) / 3


def test_what_is_cached_is_not_read_again() -> None:
    """Less time to the first token and beside others' tokens; the same memory, and the same step."""
    shares = [0.0, 0.5, 0.9, 0.99]
    found = [answer(**LOAD, cached=share) for share in shares]
    for name in ("ttft_s", "tpot_s", "prefill_s"):
        values = [float(getattr(each.steady, name)[0, 0]) for each in found]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]
    assert len({int(each.most[0]) for each in found}) == 1
    assert len({float(each.steady.step.seconds[0, 0]) for each in found}) == 1


@pytest.mark.parametrize("prompt", [4096, 40_000])
def test_half_of_a_prompt_costs_more_than_a_prompt_of_half_its_length(prompt: int) -> None:
    """New tokens attend to those before them; in one step, or cut to the engine's budget."""
    served = answer().served
    half = served.prefill(np.array([prompt / 2])).seconds[0]
    new = served.prefill(np.array([float(prompt)]), cached=prompt / 2).seconds[0]
    whole = served.prefill(np.array([float(prompt)])).seconds[0]
    assert half < new < whole
    assert whole - half == pytest.approx(new, rel=0.05)  # what is left to read once half is


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_simulation_agrees(share: float) -> None:
    formula = sim.serve(MODEL, GPU, **LOAD, cached=share)
    counted = sim.simulate_serving(MODEL, GPU, **LOAD, cached=share)
    for name in ("tokens_per_s", "tpot_ms"):
        assert formula[name].iloc[0] == pytest.approx(counted[name].iloc[0], rel=0.05)
    assert formula["cached"].tolist() == counted["cached"].tolist() == [share]


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan"), "half"])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"cached = .*; expected a share from 0 to below 1"):
        sim.serve(MODEL, GPU, **LOAD, cached=share)
