"""Every executor computes what a plain dense transformer with the same weights and masks computes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch
from torch import Tensor

from infersim.domain.shapes import Phase
from infersim.measuring.model.execution.executor import ModelExecutor
from infersim.measuring.model.execution.scene import Scene
from infersim.workload.scenario import Layout
from tests.measuring.model.examples import MODELS, executor_of
from tests.measuring.model.reference import reference_logits

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Of values near 1: some thousand roundings of each type."""


def agrees(executor: ModelExecutor, scene: Scene) -> None:
    expected = reference_logits(executor, scene)
    found: Tensor = executor.run(scene)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE[executor.dtype])


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", MODELS)
def test_executor_agrees_with_dense_masked_reference(name: str, phase: Phase, layout: Layout) -> None:
    executor = executor_of(MODELS[name](), layout=layout)
    agrees(executor, executor.scene(phase, batch=3, context=13))


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", ["dense", "low rank", "dynamic-m", "dynamic-nk", "cross"])
def test_executor_agrees_in_single_precision(name: str, phase: Phase) -> None:
    executor = executor_of(MODELS[name](), dtype=torch.float32)
    agrees(executor, executor.scene(phase, batch=2, context=21))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(MODELS)),
    phase=st.sampled_from(list(Phase)),
    layout=st.sampled_from(list(Layout)),
    batch=st.integers(1, 4),
    context=st.integers(1, 30),
    seed=st.integers(0, 100),
)
def test_executor_agrees_for_any_scenario(
    name: str, phase: Phase, layout: Layout, batch: int, context: int, seed: int
) -> None:
    executor = executor_of(MODELS[name](), layout=layout, seed=seed)
    agrees(executor, executor.scene(phase, batch=batch, context=context, seed=seed))


@pytest.mark.parametrize("name", ["dense", "dynamic-m", "dynamic-nk"])
def test_passes_of_one_scene_agree_with_each_other(name: str) -> None:
    """A timed pass is repeated: it must find its scene as the pass before found it."""
    executor = executor_of(MODELS[name]())
    scene = executor.scene(Phase.PREFILL, batch=2, context=12)
    torch.testing.assert_close(executor.run(scene), executor.run(scene), rtol=0, atol=0)
