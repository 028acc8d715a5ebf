"""Kernels on the CPU: what runs is what the row says, and what cannot run says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from infersim.domain.errors import InvalidValueError, UnknownNameError, UnsupportedError  # noqa: E402
from infersim.domain.small_kernels import small_op  # noqa: E402
from infersim.measuring.devices.cpu_device import CPU_BUDGET, CpuDevice  # noqa: E402
from infersim.measuring.devices.device import DeviceLostError  # noqa: E402
from infersim.measuring.devices.telemetry import NoTelemetry, Reading  # noqa: E402
from infersim.measuring.devices.timing import Budget, Clock  # noqa: E402
from infersim.measuring.kernel_runs import one_kernel  # noqa: E402
from infersim.measuring.kernel_runs.one_kernel import measure_kernel  # noqa: E402
from infersim.measuring.kernels import bench, fusing, preparing  # noqa: E402
from infersim.measuring.kernels.bench import Bench, Prepared  # noqa: E402
from infersim.measuring.kernels.eight_bit import FP8, quantise_fp8, quantise_int8, rescaled  # noqa: E402
from infersim.measuring.kernels.memory_bound import OPS  # noqa: E402
from infersim.measuring.kernels.preparing import prepare  # noqa: E402
from infersim.measuring.kernels.random_data import RandomData  # noqa: E402
from infersim.measuring.kernels.rotation import CacheState, rotation  # noqa: E402
from infersim.measuring.kernels.sparse_gemm import kept_two_of_four  # noqa: E402
from infersim.measuring.kernels.weight_only import eight_bit_weights  # noqa: E402


class QuickCpu(CpuDevice):
    """One thread, a small cache and a small budget: kernels that take milliseconds to measure."""

    @property
    def cache_bytes(self) -> float:
        return 2.0**16

    @property
    def budget(self) -> Budget:
        return replace(CPU_BUDGET, repeat_us=100, warm_up_us=100, budget_us=2000)


def bench_with(cache: CacheState = CacheState.COLD) -> Bench:
    device = QuickCpu(1, Clock.WALL)
    return Bench(device=device, data=RandomData(device), cache=cache)


GEMM: Mapping[str, Any] = {"kind": "gemm", "dtype": "fp32", "m": 4, "n": 64, "k": 32}
DECODE: Mapping[str, Any] = {
    "kind": "attention",
    "dtype": "fp32",
    "phase": "decode",
    "batch": 2,
    "query_len": 1,
    "context_len": 24,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": 16,
}
PREFILL = {**DECODE, "phase": "prefill", "query_len": 24}
COPY: Mapping[str, Any] = {
    "kind": "memory", "dtype": "fp32", "op": "copy", "read_bytes": 16384, "write_bytes": 16384,
}  # fmt: skip


def test_a_gemm_rotates_over_weights_that_outgrow_the_cache() -> None:
    prepared = prepare(GEMM, bench_with())

    # 64 x 32 x 4 bytes = 8 KiB a copy; 2 x 64 KiB of cache need 16 of them.
    assert prepared.rotating_buffers == len(prepared.calls) == 16
    assert prepared.weight_copies is None
    results = [call() for call in prepared.calls]
    assert all(isinstance(result, torch.Tensor) and result.shape == (4, 64) for result in results)
    assert not torch.equal(results[0], results[1])


@pytest.mark.parametrize(
    ("dtype", "copy_bytes", "quantised"),
    [("int8_static", 64 * 128, True), ("w8a16", 64 * 128, None), ("w4a16", 64 * 64, None)],
)
def test_gemms_of_narrow_weights_rotate_over_their_true_bytes(
    dtype: str, copy_bytes: int, quantised: bool | None
) -> None:
    prepared = prepare({**GEMM, "dtype": dtype, "k": 128}, bench_with())

    assert prepared.rotating_buffers == 2 * 2**16 / copy_bytes
    assert prepared.includes_act_quant is quantised
    result = prepared.calls[0]()
    assert isinstance(result, torch.Tensor)
    assert (result.shape, result.dtype) == ((4, 64), torch.bfloat16)


def test_8_bit_weights_are_multiplied_by_what_they_say() -> None:
    activations = torch.randn(4, 128, dtype=torch.bfloat16)
    weight = torch.randint(-127, 128, (64, 128), dtype=torch.int8)
    result = eight_bit_weights(activations, weight).call()
    assert isinstance(result, torch.Tensor)
    torch.testing.assert_close(result.float(), activations.float() @ weight.float().t(), rtol=0.02, atol=8.0)


def test_hot_weights_are_the_same_in_every_call() -> None:
    prepared = prepare(GEMM, bench_with(CacheState.HOT))

    assert (len(prepared.calls), prepared.weight_copies) == (1, 1)


def test_copies_are_bounded_and_then_the_sample_says_how_many() -> None:
    assert rotation(100, 1e6, CacheState.COLD, most_copies=50).copies == 50
    assert not rotation(100, 1e6, CacheState.COLD, most_copies=50).is_cold
    assert rotation(1e9, 1e6, CacheState.COLD).copies == 2
    assert rotation(1e9, 1e6, CacheState.COLD).is_cold
    with pytest.raises(InvalidValueError):
        rotation(0, 1e6, CacheState.COLD)


def test_attention_agrees_with_its_definition() -> None:
    torch.manual_seed(0)
    for row, causal in ((DECODE, False), (PREFILL, True)):
        prepared = prepare(row, bench_with())
        result = prepared.calls[0]()
        attend: Any = prepared.calls[0]
        query, key, value = (*attend.func.args, *attend.args) if hasattr(attend.func, "args") else attend.args
        key, value = (heads.repeat_interleave(2, dim=1) for heads in (key, value))
        scores = query @ key.transpose(-1, -2) / 16**0.5
        if causal:
            scores = scores.masked_fill(torch.ones(24, 24).triu(1).bool(), float("-inf"))
        torch.testing.assert_close(result, scores.softmax(-1) @ value)
        assert prepared.weight_copies == prepared.rotating_buffers > 1


@pytest.mark.parametrize("name", OPS)
def test_memory_ops_read_and_write_what_they_say(name: str) -> None:
    op = OPS[name]
    written = int(op.writes * 16384 * small_op(name).narrowing)
    row = {**COPY, "op": name, "read_bytes": op.reads * 16384, "write_bytes": written}
    if op.needs_fusing:
        with pytest.raises(UnsupportedError, match="as one kernel"):
            prepare(row, bench_with())
        return
    result = prepare(row, bench_with()).calls[0]()
    assert isinstance(result, torch.Tensor)
    assert result.nbytes == 16384


def test_a_launch_row_is_one_call_that_no_graph_replays() -> None:
    prepared = prepare({"kind": "launch", "kernels": 5}, bench_with())

    assert len(prepared.calls) == 1
    assert not prepared.captured


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({**GEMM, "dtype": "tf32"}, "unsupported: tf32"),
        (
            {**GEMM, "dtype": "w4a16"},
            "unsupported: w4a16",
        ),
        ({**GEMM, "kind": "sparse_gemm", "sparsity": "2:4"}, "unsupported: 2:4"),
        ({**PREFILL, "query_len": 8}, "unsupported: prefill"),
        ({**DECODE, "kv_dtype": "fp8"}, "unsupported: attention"),
        ({**COPY, "op": "sort"}, "unsupported: "),
        ({**GEMM, "m": 2**40}, "out of memory"),
    ],
)
def test_what_cannot_run_has_a_status_and_no_latency(row: Mapping[str, Any], status: str) -> None:
    found = measure_kernel(row, bench_with(), NoTelemetry())

    assert found.keys() == {"status"}
    assert str(found["status"]).startswith(status)


def failing(error: Exception) -> Callable[..., Prepared]:
    def fail(*_: object) -> Prepared:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("No available kernel. Aborting execution.\nat line 3"), "failed: No available kernel."),
        (NotImplementedError('"mm" not implemented for Float8'), 'unsupported: "mm" not implemented'),
    ],
)
def test_errors_become_statuses(error: Exception, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_kernel, "prepare", failing(error))

    found = measure_kernel(GEMM, bench_with(), NoTelemetry())

    assert str(found["status"]).startswith(status)
    assert "\n" not in str(found["status"])


def test_a_lost_device_is_no_status_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    monkeypatch.setattr(one_kernel, "prepare", failing(lost))
    monkeypatch.setattr(one_kernel, "is_lost", lambda _: True)

    with pytest.raises(DeviceLostError, match="illegal memory access"):
        measure_kernel(GEMM, bench_with(), NoTelemetry())


def test_an_error_of_a_library_loses_no_device_that_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = RuntimeError("CUDA error: architecture mismatch when calling `cusparseLtInit(&handle)`")
    monkeypatch.setattr(one_kernel, "prepare", failing(refused))

    found = measure_kernel(GEMM, bench_with(), NoTelemetry())

    assert str(found["status"]).startswith("failed: CUDA error: architecture mismatch")


def test_a_row_that_does_not_fit_beside_earlier_buffers_is_tried_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = bench_with()
    measure_kernel(GEMM, on, NoTelemetry())
    assert on.data.holds_buffers

    def short_of_memory(row: Mapping[str, Any], at: Bench) -> Prepared:
        if at.data.holds_buffers:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return prepare(row, at)

    monkeypatch.setattr(one_kernel, "prepare", short_of_memory)

    assert measure_kernel(GEMM, on, NoTelemetry())["status"] == "ok"


@pytest.mark.parametrize("size", [1, 255, 256, 1000])
def test_copies_begin_where_tensors_of_their_own_would(size: int) -> None:
    copies = bench_with().data.copies(3, size, dtype=torch.bfloat16)

    assert [copy.storage_offset() % 256 for copy in copies] == [0, 0, 0]
    assert copies[1].storage_offset() >= size


def test_what_could_not_be_compiled_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refused(_: object) -> object:
        tries.append(1)
        raise NotImplementedError("no Triton")

    class OnGpu(torch.Tensor):  # type: ignore[misc, name-defined]
        is_cuda = True

    def work(x: Any) -> Any:
        return x

    monkeypatch.setattr(fusing, "compiled", lambda _: refused)
    on_gpu = torch.zeros(1).as_subclass(OnGpu)

    assert fusing.fused(work, on_gpu) is None
    assert fusing.fused(work, on_gpu) is None
    assert len(tries) == 1
    assert fusing.why_not_fused(work) == "no Triton"


def test_a_device_that_stays_hot_costs_a_run_no_more_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("infersim.measuring.kernels.bench.time", SimpleNamespace(sleep=slept.append))
    on = replace(bench_with(), cooling=bench.Cooling(left_s=5.0))

    found = [measure_kernel(GEMM, on, Overheated(99)) for _ in range(3)]

    assert slept == [2.0, 2.0]
    assert [each["tries"] for each in found] == [3, 1, 1]
    assert all(each["throttled"] for each in found)


class Overheated:
    """Telemetry of a GPU that is too hot for its first `hot_readings` readings."""

    def __init__(self, hot_readings: int) -> None:
        self._hot = hot_readings

    def read(self) -> Reading:
        self._hot -= 1
        return Reading(throttled=self._hot >= 0, temperature_c=90.0)

    def environment(self) -> Mapping[str, Any]:
        return {}


@pytest.mark.parametrize(("hot", "tries", "throttled"), [(0, 1, False), (1, 2, False), (9, 3, True)])
def test_a_throttled_sample_is_repeated_and_then_marked(
    hot: int, tries: int, throttled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PAUSE_S", 0.0)

    found = measure_kernel(GEMM, bench_with(), Overheated(hot))

    assert (found["tries"], found["throttled"]) == (tries, throttled)
    assert found["status"] == "ok"
    assert found["latency_us"] > 0
    assert found["temperature_c"] == 90.0


def test_a_cpu_sample_holds_no_telemetry() -> None:
    found = measure_kernel(GEMM, bench_with(), NoTelemetry())

    assert {"sm_clock_mhz", "power_w", "throttled"}.isdisjoint(found)
    assert found["raw_us"]
    assert found["implementation"] == "linear"
    assert "weight_copies" not in found  # cold


def test_unknown_ops_are_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="attn_residual"):
        prepare({**COPY, "op": "sort"}, bench_with())


def test_every_kind_of_the_samples_format_has_a_kernel() -> None:
    from infersim.fitting.samples.schema import Kind

    assert set(preparing.KINDS) == set(Kind)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "moe", "num_experts": 64}, "64 experts: PyTorch has no kernel of expert layers; import"),
        ({"kind": "collective", "exchange": "all_reduce"}, "all_reduce: one GPU is measured here; import"),
    ],
)
def test_what_is_imported_only_is_told(row: dict[str, object], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        prepare(row, bench_with())


def test_two_largest_of_four_are_kept() -> None:
    weight = torch.tensor([[1.0, -5.0, 3.0, 2.0, 0.1, 0.2, -0.4, 0.3]])

    assert kept_two_of_four(weight).tolist() == [[False, True, True, False, False, False, True, True]]


def test_quantised_rows_come_back() -> None:
    x = torch.randn(16, 64, dtype=torch.bfloat16)
    values, scales = quantise_int8(x)
    torch.testing.assert_close(values * scales, x.float(), atol=float(scales.max()), rtol=0.0)
    narrow, fp8_scales = quantise_fp8(x)
    assert narrow.dtype is FP8
    torch.testing.assert_close(narrow.float() * fp8_scales, x.float(), rtol=0.07, atol=0.01)
    weight = torch.randint(-127, 128, (8, 64), dtype=torch.int8)
    product = rescaled(torch._int_mm(values, weight.t()), scales).float()
    torch.testing.assert_close(product, x.float() @ weight.float().t(), rtol=0.05, atol=30.0)
