"""The walk to a new kind of kernel, followed: one file and one entry, from ops to the report page."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from infersim.cost import kernels
from infersim.cost.kernels import kernel_cost, kernel_kind
from infersim.domain.dtypes import DType
from infersim.domain.errors import UnknownNameError, UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.measuring.model.measurable import check_measurable
from infersim.profile_files.profiles import load_profile
from infersim.pruning.plan import Plan
from infersim.report.html.page import render_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import gather_comparison
from infersim.simulation.speedups.op_frames import op_table
from infersim.simulation.timing.passes import Pass
from infersim.simulation.timing.program import lay_out
from infersim.simulation.timing.stacking import same_shape, stack_shapes
from infersim.simulation.timing.timeline import timelines
from infersim.workload.presets import load_model
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Attention, Transformer
from tests.docs.walks import as_module, block, entered

PAGE = "add-a-kernel.md"
GPU = load_profile("l4")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's kernel, among the kinds until the test ends."""
    module = as_module(block(PAGE, "infersim/cost/state_update.py"), monkeypatch)
    added = entered(PAGE, "infersim/cost/kernels.py", "_KINDS")
    monkeypatch.setattr(kernels, "_KINDS", (*kernels._KINDS, *added))
    return module


@pytest.fixture
def model(toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Transformer:
    """A model each of whose blocks runs the kernel once, beside what it runs anyhow."""
    assert toy.STATE_UPDATE in kernels._KINDS
    work = as_module(block(PAGE, "infersim/pruning/linear_summary.py"), monkeypatch).LinearSummary
    dense = load_model("llama-3.2-1b")
    blocks = tuple(replace(block, added=(work(num_heads=32, head_dim=64),)) for block in dense.blocks)
    return replace(dense, name="with states", blocks=blocks)


def test_work_and_bytes_are_those_of_the_definition(toy: ModuleType) -> None:
    shape = toy.StateUpdate(batch=2, tokens=3, num_heads=4, head_dim=8, state=16, dtype=DType.BF16)
    kind = kernel_kind(shape)
    assert kind.flop(shape) == 2 * 3 * 4 * (8 * 16) * 2 * 2
    assert kind.operand_bytes(shape) == 2 * 2 * 4 * 8 * 16 * 2 + 2 * 2 * 2 * 3 * 4 * 8
    assert kind.multiplies_in(shape, load_profile("h100-sxm")) is DType.BF16


def test_shapes_that_differ_in_dimensions_alone_are_timed_in_one_call(toy: ModuleType) -> None:
    tokens = np.array([[1.0, 100.0]])
    shapes = [
        toy.StateUpdate(batch=batch, tokens=tokens, num_heads=4, head_dim=64, state=64, dtype=dtype)
        for batch in (1, 8)
        for dtype in (DType.BF16, DType.FP16)
    ]
    stacks = stack_shapes(shapes, 2)
    assert [stack.rows.tolist() for stack in stacks] == [[0, 2], [1, 3]]
    together = kernel_cost(stacks[0].shape, GPU).kernel_s
    assert together == pytest.approx(np.stack([kernel_cost(shapes[row], GPU).kernel_s for row in (0, 2)]))
    assert not same_shape(shapes[0], shapes[1]).any()
    assert not same_shape(shapes[0], shapes[2]).any()
    assert same_shape(shapes[0], shapes[0]).all()


def test_its_time_is_in_the_model_s_and_in_the_table_of_ops(model: Transformer) -> None:
    scenario = Scenario(phase=Phase.PREFILL, batch=np.array([1.0, 4.0]), context=np.array([512.0]))
    dense = load_model("llama-3.2-1b")
    with_states, plain = timelines(lay_out((model, dense), (Pass(scenario=scenario),)), GPU)
    table = op_table(with_states)
    rows = table[table["op"] == "state_update"]
    assert rows["part"].tolist() == [Part.EXTRA] * 2
    assert rows["count"].tolist() == [len(dense.blocks)] * 2
    added_ms = (rows["kernel_ms"] + rows["launch_ms"]).to_numpy()
    assert (with_states.latency_s - plain.latency_s).ravel() * 1e3 == pytest.approx(added_ms)
    assert set(with_states.costs.error_group) >= {"state update", "gemm", "attention", "memory"}
    assert (with_states.upper_s > with_states.latency_s).all()


def test_the_page_of_a_comparison_holds_it(model: Transformer) -> None:
    dense = load_model("llama-3.2-1b")
    plan = Plan(base=dense, transformer=model, targets=frozenset({Part.ATTENTION}), name="with states")
    found = gather_comparison(dense, [plan], "l4", phase="prefill", context=4096)
    ops = found.ops[found.ops["op"] == "state_update"]
    assert (ops["plan"] == "with states").all()
    assert (ops["flop"] > 0).all()  # so it has its place in the roofline
    assert found.comparison["loss_extra_work"].iloc[0] < 1
    assert "state_update" in render_page(compare_page(found))


def test_it_is_predicted_only(model: Transformer) -> None:
    with pytest.raises(UnsupportedError, match="predicted only: a linear summary"):
        check_measurable(model, Phase.PREFILL)


def test_a_shape_of_no_kind_is_refused_by_name(toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_KINDS", kernels._KINDS[:-1])
    shape = toy.StateUpdate(batch=1, tokens=1, num_heads=1, head_dim=8, state=8, dtype=DType.BF16)
    with pytest.raises(UnknownNameError, match="StateUpdate"):
        kernel_cost(shape, GPU)


def test_weights_that_added_work_brings_are_counted(model: Transformer) -> None:
    from infersim.workload.counts import parameters
    from infersim.workload.transformer import Linear

    linear = Linear(out_features=7, in_features=11)
    more = tuple(
        replace(block, added=tuple(replace(work, linears=(linear,)) for work in block.added))  # type: ignore[type-var]
        for block in model.blocks
    )
    assert parameters(model.with_blocks(more)) - parameters(model) == 77 * len(model.blocks)
    assert isinstance(model.blocks[0].attention, Attention)
