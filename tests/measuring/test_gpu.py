"""Measuring on an NVIDIA GPU; skipped where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.fitting.samples import read_samples  # noqa: E402
from infersim.measuring.device import open_device  # noqa: E402
from infersim.measuring.environment import environment, telemetry_of  # noqa: E402
from infersim.measuring.kernels.bench import Bench  # noqa: E402
from infersim.measuring.kernels.rotation import CacheState  # noqa: E402
from infersim.measuring.one_kernel import measure_kernel  # noqa: E402
from infersim.measuring.plan_run import measure_plan  # noqa: E402
from infersim.measuring.random_data import RandomData  # noqa: E402
from infersim.measuring.supervision import Measurer  # noqa: E402

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


def test_a_worker_measures_into_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    setup = {"device": "cuda:0", "threads": None, "clock": "wall", "cache": "cold"}
    with Measurer(setup) as measurer:
        measure_plan(ROWS[:2], measurer, log, settings={"plan": "two"})

    assert len(read_samples(log).frame) == 2
