"""Measuring on an NVIDIA GPU; skipped where there is none."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.shapes import Phase  # noqa: E402
from infersim.fitting.samples.reading import read_samples  # noqa: E402
from infersim.measuring.devices.opening import open_device  # noqa: E402
from infersim.measuring.kernel_runs.one_kernel import measure_kernel  # noqa: E402
from infersim.measuring.kernel_runs.plan_rows import rows_to_measure  # noqa: E402
from infersim.measuring.kernel_runs.plan_run import measure_plan  # noqa: E402
from infersim.measuring.kernel_runs.supervision import Measurer  # noqa: E402
from infersim.measuring.kernel_runs.worker import environment, telemetry_of  # noqa: E402
from infersim.measuring.kernels.bench import Bench  # noqa: E402
from infersim.measuring.kernels.random_data import RandomData  # noqa: E402
from infersim.measuring.kernels.rotation import CacheState  # noqa: E402
from infersim.measuring.model.result_file import ResultFile  # noqa: E402
from infersim.measuring.model.runs import MeasurementRun, Pass, measure_run  # noqa: E402
from infersim.pruning.composition import prune  # noqa: E402
from infersim.workload.scenario import Execution  # noqa: E402
from tests.toy_models import transformer_from_sizes  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU"),
    pytest.mark.filterwarnings("ignore"),  # PyTorch's compiler warns of itself
]

GEMM: dict[str, Any] = {"kind": "gemm", "dtype": "bf16", "m": 64, "n": 4096, "k": 4096}
ATTENTION: dict[str, Any] = {
    "kind": "attention",
    "dtype": "bf16",
    "phase": "decode",
    "batch": 8,
    "query_len": 1,
    "context_len": 2048,
    "num_heads": 32,
    "num_kv_heads": 8,
    "head_dim": 128,
}
ROWS: list[dict[str, Any]] = [
    GEMM,
    {**GEMM, "dtype": "fp16"},
    {**GEMM, "dtype": "tf32"},
    {**GEMM, "dtype": "fp32"},
    {**GEMM, "kind": "sparse_gemm", "sparsity": "2:4"},
    ATTENTION,
    {**ATTENTION, "phase": "prefill", "query_len": 512, "context_len": 512},
    {"kind": "memory", "dtype": "bf16", "op": "copy", "read_bytes": 2**26, "write_bytes": 2**26},
    {"kind": "memory", "dtype": "bf16", "op": "attn_norm", "read_bytes": 2**24, "write_bytes": 2**24},
    {"kind": "launch", "kernels": 256},
]


def bench() -> Bench:
    device = open_device("cuda:0")
    return Bench(device=device, data=RandomData(device), cache=CacheState.COLD)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']} {row.get('dtype', '')}")
def test_every_kind_is_measured(row: dict[str, Any]) -> None:
    on = bench()
    with on.device:
        found = measure_kernel(row, on, telemetry_of(on.device))

    assert found["status"] == "ok", found
    assert 0.5 < found["latency_us"] < 1e5


@pytest.mark.parametrize("dtype", ["fp8", "int8"])
def test_eight_bits_are_measured_or_refused_with_a_reason(dtype: str) -> None:
    on = bench()
    with on.device:
        found = measure_kernel({**GEMM, "dtype": dtype}, on, telemetry_of(on.device))

    if found["status"] == "ok":
        assert found["includes_act_quant"] is True
    else:
        assert found["status"].startswith(("unsupported: ", "failed: "))


def test_cold_weights_take_longer_than_hot_ones() -> None:
    cold = bench()
    hot = Bench(device=cold.device, data=cold.data, cache=CacheState.HOT)
    row = {**GEMM, "m": 1, "n": 2048, "k": 2048}  # 8 MiB: in every L2 when hot
    with cold.device:
        times = [measure_kernel(row, state, telemetry_of(cold.device))["latency_us"] for state in (cold, hot)]

    assert times[0] > 1.1 * times[1]


def test_what_does_not_fit_is_out_of_memory_and_the_next_row_is_measured() -> None:
    on = bench()
    with on.device:
        telemetry = telemetry_of(on.device)
        assert measure_kernel({**GEMM, "m": 2**40}, on, telemetry)["status"] == "out of memory"
        assert measure_kernel(GEMM, on, telemetry)["status"] == "ok"


def test_the_environment_names_the_gpu_and_its_driver() -> None:
    on = bench()
    found = environment(on.device, telemetry_of(on.device))

    assert found["device"] == torch.cuda.get_device_name(0)
    assert found["cuda"] == torch.version.cuda
    assert ("cusparselt" in found) is torch.backends.cusparselt.is_available()


def test_every_row_of_the_check_is_measured() -> None:
    on = bench()
    with on.device:
        telemetry = telemetry_of(on.device)
        found = [(row, measure_kernel(row, on, telemetry)) for row in rows_to_measure("check")]

    assert [(row, result) for row, result in found if result["status"] != "ok"] == []


def test_replays_take_as_long_as_their_calls() -> None:
    """A graph of a few calls and one of many agree on the latency of one: issuing them does not count."""
    device = open_device("cuda:0")
    x = torch.zeros(2**22, device=device.torch_device)
    with device:
        per_call = []
        for calls in (20, 200):
            replay = device.capture(partial(times, calls, x))
            replay()
            per_call.append(min(device.stopwatch.elapsed_us(replay) for _ in range(20)) / calls)

    assert per_call[0] == pytest.approx(per_call[1], rel=0.1)


def times(calls: int, x: Any) -> None:
    for _ in range(calls):
        x.add_(1)


@pytest.mark.parametrize("context", [512, 1024])
def test_every_family_is_measured_in_both_phases(tmp_path: Path, context: int) -> None:
    model = transformer_from_sizes(
        hidden=1024, layers=4, num_heads=16, num_kv_heads=4, width=4096, vocab=1024
    )
    plans = [
        prune(model, "static-m", 0.5),
        prune(model, "static-k-2:4"),
        prune(model, "static-k-lowrank", 0.5),
        prune(model, "static-nk", 0.5),
        prune(model, "static-nk-cross", 0.5),
        prune(model, "dynamic-m", 0.5, execution="gather"),
        prune(model, "dynamic-nk", 0.5),
        prune(model, "kv-pruning", 0.5),
    ]
    device = open_device("cuda:0")
    run = MeasurementRun(
        model=model,
        plans=tuple(plans),
        passes=tuple(Pass(phase=phase, batch=2, context=context) for phase in Phase),
        execution=Execution(),
        budget=replace(device.budget, budget_us=2e5),
    )
    results = ResultFile(tmp_path / "rows.csv", run.setting(device), run.plan_ids())
    measure_run(run, device, results, lambda _: None)

    strange = [row for row in results.rows if row["status"] != "ok" and "predicted only" not in row["status"]]
    assert strange == []
    for row in results.rows:
        if row["status"] == "ok":
            assert abs(float(row["dense_ms_rest"])) < float(row["dense_ms"])


def test_a_worker_measures_into_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    setup = {"device": "cuda:0", "threads": None, "clock": "wall", "cache": "cold"}
    with Measurer(setup) as measurer:
        measure_plan(ROWS[:2], measurer, log, settings={"plan": "two"})

    assert len(read_samples(log).frame) == 2
