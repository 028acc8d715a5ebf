"""Requests, and the contexts that stand for their decode steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.workload.requests import DECODE_POINTS, REQUESTS, Request, decode_points, request_named


def test_the_first_token_comes_from_prefill() -> None:
    contexts, weights = decode_points(Request(prompt_len=100, output_len=1))
    assert contexts.size == weights.size == 0
    contexts, weights = decode_points(Request(prompt_len=100, output_len=3))
    # The second token's step sees the prompt and the first token; the third's one more.
    assert (contexts.tolist(), weights.tolist()) == ([101, 102], [1, 1])


@given(prompt=st.integers(1, 10_000), output=st.integers(1, 200_000))
@settings(deadline=None)
def test_points_stand_for_all_steps(prompt: int, output: int) -> None:
    contexts, weights = decode_points(Request(prompt_len=prompt, output_len=output))
    assert weights.sum() == output - 1
    assert contexts.size == weights.size <= DECODE_POINTS
    assert np.array_equal(contexts, np.round(contexts))
    if output > 1:
        assert prompt + 1 <= contexts.min() <= contexts.max() <= prompt + output - 1


@given(prompt=st.integers(1, 10_000), output=st.integers(1, 20_000), slope=st.floats(0, 10))
@settings(deadline=None)
def test_a_linear_cost_is_summed_exactly(prompt: int, output: int, slope: float) -> None:
    contexts, weights = decode_points(Request(prompt_len=prompt, output_len=output))
    every_step = np.arange(prompt + 1, prompt + output, dtype=float)
    assert weights @ (3.0 + slope * contexts) == pytest.approx((3.0 + slope * every_step).sum())


def test_a_cost_with_a_step_is_summed_closely() -> None:
    """Decode attention changes its split of the context here and there: no polynomial rule would like it."""
    contexts, weights = decode_points(Request(prompt_len=1024, output_len=8193))
    every_step = np.arange(1025, 9217, dtype=float)

    def cost(
        context: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return 10 + 0.001 * context + 2 * (context > 3000)

    assert weights @ cost(contexts) == pytest.approx(cost(every_step).sum(), rel=0.01)


def test_presets() -> None:
    assert set(REQUESTS) == {"classification", "generation", "reasoning"}
    assert request_named("classification").decode_steps == 0
    assert request_named("reasoning").output_len > request_named("reasoning").prompt_len
    with pytest.raises(UnknownNameError, match="did you mean reasoning"):
        request_named("resoning")


@pytest.mark.parametrize("bad", [0, -1, 1.5, float("nan"), 2**40, True])
@pytest.mark.parametrize("key", ["prompt_len", "output_len"])
def test_bad_lengths_are_refused(key: str, bad: object) -> None:
    lengths: dict[str, object] = {"prompt_len": 10, "output_len": 10, key: bad}
    with pytest.raises(InvalidValueError, match=f"{key} = "):
        Request(**lengths)  # type: ignore[arg-type]  # wrong on purpose
