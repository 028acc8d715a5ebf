"""A run of plans: what one of them breaks is its own row, unless it takes the device with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.dtypes import precision_named  # noqa: E402
from infersim.domain.errors import InfersimError, UnsupportedError  # noqa: E402
from infersim.domain.shapes import Phase  # noqa: E402
from infersim.measuring.devices.device import DeviceLostError  # noqa: E402
from infersim.measuring.devices.opening import open_device  # noqa: E402
from infersim.measuring.devices.timing import Budget  # noqa: E402
from infersim.measuring.model import runs  # noqa: E402
from infersim.measuring.model.execution.executor import build  # noqa: E402
from infersim.measuring.model.result_file import ResultFile  # noqa: E402
from infersim.measuring.model.runs import MeasurementRun, Pass, measure_run  # noqa: E402
from infersim.pruning.composition import prune  # noqa: E402
from infersim.workload.scenario import Execution  # noqa: E402
from tests.measuring.model.examples import dense  # noqa: E402

RUN = MeasurementRun(
    model=dense(),
    plans=tuple(prune(dense(), "static-nk", share, align=8) for share in (0.25, 0.5)),
    passes=tuple(Pass(phase=phase, batch=1, context=8) for phase in Phase),
    execution=Execution(precision=precision_named("fp32"), cuda_graph=False),
    budget=Budget(budget_us=1.0, least_repeats=3),
)
FIRST = RUN.plans[0].transformer


def measure(path: Path, run: MeasurementRun = RUN) -> list[str]:
    """Statuses in the file afterwards."""
    device = open_device("cpu", 1)
    results = ResultFile(path, run.setting(device), run.plan_ids())
    try:
        measure_run(run, device, results, lambda _: None)
    finally:
        statuses = [str(row["status"]) for row in results.rows]
    return statuses


def failing_for(model: object, error: Exception) -> Callable[..., Any]:
    def built(transformer: Any, *arguments: Any) -> Any:
        if transformer is model:
            raise error
        return build(transformer, *arguments)

    return built


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (
            ValueError("Q and KV block size must be divisible\nby more"),
            "failed: ValueError: Q and KV block size",
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED"), "failed: RuntimeError: CUDA error: CUBLAS"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (UnsupportedError("2:4 matrices"), "unsupported: 2:4 matrices"),
    ],
)
def test_a_plan_that_fails_leaves_the_others_to_be_measured(
    error: Exception, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "build", failing_for(FIRST, error))

    found = measure(tmp_path / "rows.csv", replace(RUN, passes=RUN.passes[:1]))

    assert [each.startswith(status) for each in found] == [True, False]
    assert found[1] == "ok"
    assert "\n" not in found[0]


@pytest.mark.slow
def test_a_lost_device_ends_the_run_with_a_row_and_the_next_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    monkeypatch.setattr(runs, "build", failing_for(FIRST, DeviceLostError("capture in a CUDA graph: broken")))
    # The script that measures all of a GPU looks for the last words, and begins again where it finds them.
    with pytest.raises(InfersimError, match=r"crashed: capture.*broken.*the same command goes on after it"):
        measure(path)

    monkeypatch.setattr(runs, "build", build)
    assert measure(path) == ["crashed: capture in a CUDA graph: broken", "ok", "ok", "ok"]


def test_without_a_dense_model_there_is_nothing_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "build", failing_for(RUN.model, torch.OutOfMemoryError("20 GiB")))

    with pytest.raises(InfersimError, match=r"dense.*out of memory.*--layers"):
        measure(tmp_path / "rows.csv")


def test_tf32_is_asked_for_on_a_gpu_only(tmp_path: Path) -> None:
    tf32 = replace(RUN, execution=Execution(precision=precision_named("tf32"), cuda_graph=False))

    with pytest.raises(UnsupportedError, match="tf32 needs a GPU"):
        measure(tmp_path / "rows.csv", tf32)
