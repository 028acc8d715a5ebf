"""A CPU's profile from measured ceilings, and what the system is read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from infersim.domain.dtypes import DType
from infersim.domain.errors import InfersimError
from infersim.measuring.ceilings import Ceilings
from infersim.measuring.devices.cpu_device import (
    UNKNOWN_CACHE_BYTES,
    available_bytes,
    cache_is_known,
    cpu_title,
    highest_clock_mhz,
    largest_cache_bytes,
    total_bytes,
)
from infersim.measuring.devices.names import profile_name
from infersim.measuring.machine import Machine, profile_toml
from infersim.profile_files import load_profile, with_overrides

MACHINE = Machine(
    name="my-cpu",
    title='A "quoted" CPU',
    cores=2,
    clock_mhz=2500.0,
    clock_is_known=True,
    cache_bytes=2.0**25,
    cache_is_known=True,
    memory_bytes=16e9,
    measured_with="PyTorch 0.0, 2 threads",
)
CEILINGS = Ceilings(flop_per_s={"fp32": 1.6e11, "bf16": 2e10}, bandwidth_bytes_per_s=2.1e10)


def test_the_profile_loads_without_complaint_and_says_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "my-cpu.toml"
    file.write_text(profile_toml(MACHINE, CEILINGS), encoding="utf-8")

    profile = load_profile(file)

    assert (profile.name, profile.title, profile.kind) == ("my-cpu", 'A "quoted" CPU', "cpu")
    assert profile.chip.sm_count == 2
    assert profile.chip.l2_bytes == 2**25
    assert profile.chip.tdp_w is None
    assert profile.memory.bandwidth_bytes_per_s == pytest.approx(2.1e10)
    assert profile.bound_flop_per_s(DType.FP32) == pytest.approx(1.6e11, rel=1e-5)
    assert profile.bound_flop_per_s(DType.BF16) == pytest.approx(2e10, rel=1e-5)
    assert profile.unverified == ()
    assert "PyTorch 0.0" in profile.sources["matrix.fp32.datasheet_tflops"]
    assert "measured ceiling" in profile.sources["memory.bandwidth_gb_s"]
    assert with_overrides(profile, {"memory.bandwidth_gb_s": 30.0}).kind == "cpu"


def test_what_the_system_does_not_say_is_unverified(tmp_path: Path) -> None:
    from dataclasses import replace

    file = tmp_path / "my-cpu.toml"
    unknown = replace(MACHINE, clock_is_known=False, cache_is_known=False)
    file.write_text(profile_toml(unknown, CEILINGS), encoding="utf-8")

    assert set(load_profile(file).unverified) == {
        "chip.clock_max_mhz",
        "chip.tensor_clock_mhz",
        "chip.l2_mib",
    }


def test_the_systems_files_are_read(tmp_path: Path) -> None:
    for index, size in enumerate(("32K", "512K", "32768K")):
        folder = tmp_path / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(f"{size}\n")
    cpuinfo, meminfo = tmp_path / "cpuinfo", tmp_path / "meminfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\ncpu MHz\t\t: 2445.424\n"
    )
    meminfo.write_text("MemTotal:       24684116 kB\nMemAvailable:   20000000 kB\n")

    assert cpu_title(cpuinfo) == "AMD EPYC 7763 64-Core Processor"
    assert largest_cache_bytes(tmp_path) == 2**25
    assert cache_is_known(tmp_path)
    assert highest_clock_mhz(tmp_path, cpuinfo) == 2445.424
    assert total_bytes(meminfo) == 24684116 * 1024
    assert available_bytes(meminfo) == 20000000 * 1024
    (tmp_path / "cpufreq").mkdir()
    (tmp_path / "cpufreq" / "cpuinfo_max_freq").write_text("3500000\n")
    assert highest_clock_mhz(tmp_path, cpuinfo) == 3500.0


def test_a_system_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert cpu_title(tmp_path / "missing")
    assert not cache_is_known(tmp_path)
    assert largest_cache_bytes(tmp_path) == UNKNOWN_CACHE_BYTES
    assert highest_clock_mhz(tmp_path, tmp_path / "missing") is None
    with pytest.raises(InfersimError, match="does not say MemAvailable"):
        available_bytes(tmp_path / "missing")


def test_known_gpus_bear_their_profiles_name_and_others_their_own() -> None:
    assert profile_name("NVIDIA H100 80GB HBM3") == "h100-sxm"
    assert (
        profile_name("AMD EPYC 7763 64-Core Processor 2-thread") == "amd-epyc-7763-64-core-processor-2-thread"
    )
