"""Every kind of kernel on fake GPU tensors: shapes, types and devices fit; a graph can hold the calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from infersim.domain.small_kernels import small_op  # noqa: E402
from infersim.measuring.devices.telemetry import NoTelemetry  # noqa: E402
from infersim.measuring.kernel_runs.one_kernel import measure_kernel  # noqa: E402
from infersim.measuring.kernels import sparse_gemm  # noqa: E402
from infersim.measuring.kernels.bench import Bench  # noqa: E402
from infersim.measuring.kernels.memory_bound import OPS  # noqa: E402
from infersim.measuring.kernels.random_data import RandomData  # noqa: E402
from infersim.measuring.kernels.rotation import CacheState  # noqa: E402
from tests.measuring.fake_cuda import CUDA, fake_gpu  # noqa: E402

pytestmark = pytest.mark.slow

Row = Mapping[str, Any]

GEMM: Row = {"kind": "gemm", "dtype": "bf16", "m": 24, "n": 256, "k": 512}
DECODE: Row = {
    "kind": "attention",
    "dtype": "bf16",
    "phase": "decode",
    "batch": 2,
    "query_len": 1,
    "context_len": 100,
    "num_heads": 8,
    "num_kv_heads": 2,
    "head_dim": 64,
}
MEMORY: Row = {"kind": "memory", "dtype": "bf16"}
ROWS: list[Row] = [
    *({**GEMM, "dtype": dtype} for dtype in ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")),
    {**GEMM, "m": 1, "n": 777, "k": 64},
    {**GEMM, "dtype": "fp8", "m": 1},
    {**GEMM, "kind": "sparse_gemm", "sparsity": "2:4"},
    DECODE,
    {**DECODE, "num_kv_heads": 8},
    {**DECODE, "phase": "prefill", "query_len": 100},
    *(
        {
            **MEMORY,
            "op": name,
            "read_bytes": 2**15 * op.reads,
            "write_bytes": int(2**15 * op.writes * small_op(name).narrowing),
        }
        for name, op in OPS.items()
    ),
    {"kind": "launch", "kernels": 5},
]  # fmt: skip


def measured(
    row: Row, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0)
) -> dict[str, Any]:
    with fake_gpu(monkeypatch, capability) as device:
        bench = Bench(device=device, data=RandomData(device), cache=CacheState.COLD)
        found = measure_kernel(row, bench, NoTelemetry())
    # What makes a number of calls long enough to be timed is captured; a launch is timed with the host.
    assert device.captures == (found["status"] == "ok" and row["kind"] != "launch")
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(map(str, row.values())))
def test_every_kind_can_be_captured(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_gemm, "compressed", lambda weight: weight)

    found = measured(row, monkeypatch)

    assert found["status"] == "ok"


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda x: x.cpu(),
        lambda x: x.sum().item(),
        lambda x: x.nonzero(),
        lambda x: x + torch.ones(4),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0, 4.0], device=CUDA),
        lambda x: torch.linspace(0, 1, len(x)).to(CUDA),
        lambda x: functional.linear(x, x.half()),
    ],
)
def test_what_a_graph_could_not_hold_is_refused(
    spoilt: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_gpu(monkeypatch) as device:
        x = torch.zeros(4, 4, device=CUDA)
        with pytest.raises((AssertionError, RuntimeError)):
            device.capture(lambda: spoilt(x))


@pytest.mark.parametrize(
    ("row", "capability", "reason"),
    [
        (GEMM, (7, 5), r"unsupported: bf16 .*8\.0.*Fake GPU.*7\.5"),
        ({**GEMM, "dtype": "fp8"}, (8, 0), r"unsupported: fp8 .*8\.9"),
        ({**GEMM, "dtype": "tf32"}, (7, 0), r"unsupported: tf32 .*8\.0"),
        (DECODE, (7, 5), r"unsupported: attention .*bf16.*8\.0"),
        (
            {**GEMM, "kind": "sparse_gemm", "sparsity": "2:4", "dtype": "fp16"},
            (7, 0),
            r"unsupported: 2:4 .*PyTorch.*7\.0",
        ),
        (
            {**GEMM, "kind": "sparse_gemm", "sparsity": "2:4"},
            (9, 0),
            r"unsupported: 2:4 .*PyTorch.*9\.0.*built",
        ),
    ],
)
def test_what_a_gpu_is_too_old_for_is_told_and_not_tried(
    row: Row, capability: tuple[int, int], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measured(row, monkeypatch, capability)

    assert re.match(reason, str(found["status"]))
