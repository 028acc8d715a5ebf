"""What is timed is what is predicted: an executor runs the ops of `workload.ops`, GEMM for GEMM."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("torch")

import torch

from infersim.domain.dtypes import precision_named
from infersim.domain.ops import Part
from infersim.domain.shapes import Gemm, Phase
from infersim.measuring.model.execution import matrices
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout, Scenario
from infersim.workload.transformer import Transformer
from tests.measuring.model.examples import MODELS, executor_of

BATCH, CONTEXT = 4, 16
"""Of which each half or quarter that the examples skip is a whole number."""


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", MODELS)
def test_executor_runs_the_predicted_gemms(
    name: str, phase: Phase, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODELS[name]()
    if phase is Phase.DECODE and "dynamic-m" in name:
        pytest.skip("a prediction is of the expected tokens, a pass has a whole number of them")
    executed, told = _executed(model, phase, layout, monkeypatch)
    scenario = Scenario(
        phase=phase,
        batch=BATCH,
        context=CONTEXT,
        execution=Execution(layout=layout, precision=precision_named("fp32")),
    )
    ops = model_ops(model, scenario)
    predicted: Counter[tuple[str, int, int, int]] = Counter()
    for op in ops:
        if isinstance(op.shape, Gemm):
            shape = op.shape
            predicted[op.name, round(float(shape.m)), int(shape.n), int(shape.k)] += round(float(op.count))
    assert executed == predicted
    named = {(op.name, op.part) for op in ops}
    # A pending result is added by an op of its own before a router or a map reads the stream.
    assert {each for each in told if not each[0].endswith("_residual")} <= named
    assert {each for each in named if not each[0].endswith("_residual")} <= set(told)


def _executed(
    model: Transformer, phase: Phase, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> tuple[Counter[tuple[str, int, int, int]], list[tuple[str, Part]]]:
    """GEMMs by the name that the probe was told after each, and all that it was told."""
    gemms: Counter[tuple[str, int, int, int]] = Counter()
    told: list[tuple[str, Part]] = []
    pending: list[tuple[int, int, int]] = []
    plain = matrices.gemm

    def recorded(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        pending.append((x.shape[0], weight.shape[0], weight.shape[1]))
        return plain(x, weight, bias)

    def probe(name: str, part: Part) -> None:
        told.append((name, part))
        gemms.update((name, *shape) for shape in pending)
        pending.clear()

    monkeypatch.setattr(matrices, "gemm", recorded)
    executor = executor_of(model, layout=layout, dtype=torch.float32)
    executor.run(executor.scene(phase, batch=BATCH, context=CONTEXT), probe)
    assert not pending
    return gemms, told


def test_decode_keeps_the_expected_tokens_over_sublayers() -> None:
    """Of 3 sequences at a skip rate of 1/2 a sublayer keeps 1.5; quantiles of 3 layers are 1, 1 or 2, 2."""
    executor = executor_of(MODELS["dynamic-m"]())
    scene = executor.scene(Phase.DECODE, batch=3, context=8)
    kept = [len(each.ffn.rows) for each in scene.decisions if each.ffn is not None]
    assert len(kept) == 3
    assert abs(sum(kept) - 3 * 1.5) <= 0.5
    assert len(set(kept)) > 1
