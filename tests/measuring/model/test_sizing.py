"""How many layers are measured where memory is short, and where the time of a pass goes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from infersim.domain.dtypes import precision_named
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.ops import Part
from infersim.domain.shapes import Phase
from infersim.measuring.devices.opening import open_device
from infersim.measuring.devices.timing import Budget
from infersim.measuring.model.breakdown import break_down, by_part
from infersim.measuring.model.execution.stream import Probe
from infersim.measuring.model.runs import MeasurementRun, Pass
from infersim.measuring.model.sizing import run_bytes, sized, with_layers
from infersim.pruning.composition import prune
from infersim.workload.scenario import Execution
from tests.measuring.model.examples import dense, executor_of
from tests.toy_models import transformer_from_sizes

MODEL = transformer_from_sizes(hidden=256, layers=8, num_heads=4, num_kv_heads=2, width=512, vocab=100)


def run() -> MeasurementRun:
    return MeasurementRun(
        model=MODEL,
        plans=(prune(MODEL, "static-m", 0.5), prune(MODEL, "static-nk", 0.5)),
        passes=(Pass(phase=Phase.PREFILL, batch=2, context=64),),
        execution=Execution(precision=precision_named("fp32"), cuda_graph=False),
        budget=Budget(),
    )


def test_the_whole_model_is_measured_where_it_fits() -> None:
    found = sized(run(), None, 1e12)
    assert found.run == run()
    assert found.note == ""


def test_as_many_layers_as_fit_are_measured_and_said() -> None:
    """Room for exactly five layers, a tenth kept back."""
    free = run_bytes(with_layers(run(), 5)) / 0.9 + 1
    found = sized(run(), None, free)
    assert len(found.run.model.blocks) == 5
    assert "measured is a stack of 5 of 8 layers (to compare: --layers 5)" in found.note
    assert [len(plan.base.blocks) for plan in found.run.plans] == [5, 5]


def test_too_many_layers_are_refused_with_what_fits() -> None:
    free = run_bytes(with_layers(run(), 3)) / 0.9 + 1
    with pytest.raises(InfersimError, match=r"needs .* GiB and .* GiB are free: --layers 3 fits"):
        sized(run(), 4, free)
    assert len(sized(run(), 3, free).run.model.blocks) == 3


def test_no_room_at_all_is_an_error() -> None:
    with pytest.raises(InfersimError, match="one layer of it"):
        sized(run(), None, 1.0)
    with pytest.raises(InvalidValueError, match="1 to 8"):
        sized(run(), 9, 1e12)


def test_breakdown_gives_each_op_the_time_up_to_its_end() -> None:
    """What comes before an op is told counts as its own; executions of one name add up."""
    device = open_device("cpu", 1)

    def run(probe: Probe) -> None:
        for _ in range(2000):
            pass
        probe("slow", Part.FFN)
        probe("fast", Part.QKVO)
        probe("fast", Part.QKVO)

    slow, fast = break_down(device, run)
    assert (slow.name, slow.part, fast.name) == ("slow", Part.FFN, "fast")
    assert slow.time_us > fast.time_us > 0
    assert by_part((slow, fast))[Part.FFN] == slow.time_us
    assert by_part((slow, fast))[Part.ATTENTION] == 0


def test_breakdown_of_a_model_names_its_ops() -> None:
    executor = executor_of(dense())
    scene = executor.scene(Phase.DECODE, batch=1, context=8)
    ops = break_down(open_device("cpu", 1), lambda probe: executor.run(scene, probe))
    assert {"embedding", "qkv", "attention", "gate_up", "down", "lm_head"} <= {op.name for op in ops}
    assert all(op.time_us > 0 for op in ops)
