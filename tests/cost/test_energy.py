"""Power and energy of kernels: hand-derived, and what must hold for any kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.energy import PowerLaw, busy_share, energy_j, power_law, within_limit
from infersim.domain.dtypes import precision_named
from infersim.domain.errors import UnsupportedError
from infersim.domain.profile import Calibration
from infersim.domain.shapes import Gemm
from infersim.profile_files.profiles import load_profile
from infersim.simulation.kernels.attention import attention_latency
from infersim.simulation.kernels.gemm import gemm_latency

LAW = PowerLaw(
    idle_w=100.0,
    busy_w=200.0,
    joule_per_flop=1e-12,
    flop_per_s=1e15,
    joule_per_byte=50e-12,
    limit_w=1e6,
    log_half_width=0.1,
    calibration=Calibration.FITTED,
)


def joules(law: PowerLaw, *, flop: float = 1e12, peak_s: float = 1e-3, busy: float = 1.0) -> float:
    """Of a kernel that moves 1 GB in 2 ms after a launch of 1 ms."""
    arrays = (np.array(value) for value in (flop, peak_s, 1e9, busy, 2e-3, 1e-3))
    names = ("flop", "peak_s", "moved_bytes", "busy", "kernel_s", "launch_s")
    return float(energy_j(law, **dict(zip(names, arrays, strict=True))))


def test_a_kernel_pays_idling_busy_sms_its_flops_and_its_bytes() -> None:
    # 100 W x 3 ms + 200 W x 2 ms + 1e12 x 1 pJ + 1e9 x 50 pJ
    assert joules(LAW) == pytest.approx(0.3 + 0.4 + 1.0 + 0.05)
    # half of the SMs have no tile
    assert joules(LAW, busy=0.5) == pytest.approx(0.3 + 0.2 + 1.0 + 0.05)


def test_a_type_of_four_times_the_rate_takes_half_the_energy_a_flop() -> None:
    assert joules(LAW) - joules(LAW, peak_s=1e-3 / 4) == pytest.approx(0.5)


def test_the_limit_holds_while_the_kernel_runs_and_the_gap_is_idle() -> None:
    # the demand, 825 W over the kernel, meets a limit of 300 W: 8-norm, then 100 W for 1 ms of launch
    drawn = 825.0 / (1 + (825 / 300) ** 8) ** (1 / 8)
    assert joules(replace(LAW, limit_w=300.0)) == pytest.approx(drawn * 2e-3 + 0.1)
    assert drawn < 300.0


@given(demand=st.floats(1e-3, 1e9), limit=st.floats(1.0, 5e3))
def test_a_board_draws_no_more_than_its_demand_nor_its_limit(demand: float, limit: float) -> None:
    drawn = within_limit(np.array(demand), limit)
    assert 0 < drawn <= min(demand, limit) * (1 + 1e-12)
    assert drawn >= min(demand, limit) / 2 ** (1 / 8) * (1 - 1e-9)


def test_a_kernel_without_work_draws_nothing_and_divides_by_nothing() -> None:
    zero = np.zeros(2)
    none = energy_j(
        LAW, flop=zero, peak_s=zero, moved_bytes=zero, busy=np.ones(2), kernel_s=zero, launch_s=zero
    )
    np.testing.assert_array_equal(none, zero)


def test_sms_without_an_output_tile_are_dark() -> None:
    gpu = load_profile("b200-sxm")  # 148 SMs
    bf16 = precision_named("bf16")
    assert busy_share(Gemm(m=1, n=4096, k=65536, precision=bf16), gpu) == pytest.approx(32 / 148)
    assert busy_share(Gemm(m=129, n=4096, k=64, precision=bf16), gpu) == pytest.approx(64 / 148)
    assert busy_share(Gemm(m=4096, n=4096, k=64, precision=bf16), gpu) == 1.0


@pytest.mark.parametrize("name", ["b200-sxm", "h100-sxm", "a100-sxm-80gb", "l4", "rtx-4090", "t4", "mi300x"])
def test_watts_lie_between_idle_and_the_limit_whatever_runs(name: str) -> None:
    gpu = load_profile(name)
    law = power_law(gpu)
    assert law is not None
    m = np.array([1, 16, 256, 4096])[:, None]
    width = np.array([128, 1024, 8192, 32768])
    dtype = "fp16" if name == "t4" else "bf16"
    gemms = gemm_latency(gpu, m, width, width, dtype=dtype)
    attention = attention_latency(
        gpu,
        phase="decode",
        batch=m,
        context_len=width,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        dtype=dtype,
    )
    for latency in (gemms, attention):
        assert (latency.watts >= law.idle_w * 0.99).all()
        assert (latency.watts <= law.limit_w).all()
        np.testing.assert_allclose(latency.energy_j, latency.watts * latency.latency_s)
    # More tokens take more energy; 3 % less where B200's library has a faster kernel for 16 than for one.
    assert (gemms.energy_j[1:] > 0.96 * gemms.energy_j[:-1]).all()
    assert (gemms.energy_j[-1] > gemms.energy_j[0]).all()


def test_a_kernel_that_keeps_tensor_cores_busy_draws_nearly_the_limit() -> None:
    gpu = load_profile("h100-sxm")
    assert 0.95 * 700 < gemm_latency(gpu, 8192, 8192, 8192).watts < 700
    # an L4 multiplies at 57 of 121 TFLOP/s because that takes its 72 W (public runs)
    assert 0.9 * 72 < gemm_latency(load_profile("l4"), 8192, 8192, 8192).watts < 72


def test_energy_of_a_memory_kernel_follows_the_memory() -> None:
    """Bytes of GDDR cost more than those of HBM, and an old process more than a new one."""
    laws = {
        name: power_law(load_profile(name)) for name in ("h100-sxm", "a100-sxm-80gb", "a10", "l4", "v100-sxm")
    }
    byte = {name: law.joule_per_byte for name, law in laws.items() if law is not None}
    flop = {name: law.joule_per_flop for name, law in laws.items() if law is not None}
    assert byte["h100-sxm"] < byte["a100-sxm-80gb"] < byte["l4"] == byte["a10"]
    assert flop["h100-sxm"] < flop["a100-sxm-80gb"] < flop["v100-sxm"]
    assert flop["l4"] < flop["a10"]


def test_only_a_metered_board_is_calibrated() -> None:
    h100 = gemm_latency("h100-sxm", 1, 4096, 4096).power
    assert h100 is not None
    assert (h100.calibration, h100.log_half_width) == ("transferred", 0.4)


def test_without_a_power_limit_energy_is_an_error_that_says_so() -> None:
    gpu = load_profile("h100-sxm")
    unknown = replace(gpu, chip=replace(gpu.chip, tdp_w=None))
    latency = gemm_latency(unknown, 1, 4096, 4096)
    with pytest.raises(UnsupportedError, match="tdp_w"):
        _ = latency.watts


def test_many_shapes_have_the_energy_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    m = np.arange(1, 40)
    whole = gemm_latency("l4", m, 1024, 512).energy_j
    monkeypatch.setattr("infersim.simulation.speedups.stretches.STRETCH", 7)
    np.testing.assert_array_equal(gemm_latency("l4", m, 1024, 512).energy_j, whole)
