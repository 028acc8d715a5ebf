"""Fits of several engines on one GPU: which of them is in force, and what stands in for a kind it lacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import infersim as sim
from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.domain.fit import Fit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.profile_files import read_fit, write_fit
from infersim.profile_files.profiles import completed, datasheet_alone
from tests.profile_files.example_fits import example_kind

FORMATS = ("gemm.bf16", "gemm.w4a16")


def several() -> Fit:
    """GEMMs and attention of vllm, the default; GEMMs of tensorrt-llm, in a format more."""
    launch = replace(example_kind("launch"), parameters={"host_us": 5.0}, uncertainties={}, at_bound=())
    fit = Fit(gpu="h100-sxm", kinds={"launch": launch}, provenance={})
    vllm = {name: replace(example_kind(name), ranges={}) for name in ("gemm.bf16", "attention.decode")}
    other = {name: _launching(example_kind(name, knots=(3, 3, 3)), 7.0) for name in FORMATS}
    return fit.with_kinds(vllm, "vllm").with_kinds(other, "tensorrt-llm").run_by(None)


def _launching(kind: KindFit, launch_us: float) -> KindFit:
    return replace(kind, parameters={**kind.parameters, "launch_us": launch_us})


def profile() -> HardwareProfile:
    bare = datasheet_alone(sim.load_profile("h100-sxm"))
    return completed(replace(bare, fit=several(), calibration=Calibration.FITTED))


def test_a_set_s_own_kinds_come_first_then_the_default_s_then_any_other_s() -> None:
    fit = several()
    assert {name: kind.kernels for name, kind in fit.kinds.items()} == {
        "launch": None,
        "gemm.bf16": "vllm",
        "attention.decode": "vllm",
        "gemm.w4a16": "tensorrt-llm",
    }
    assert {name: kind.kernels for name, kind in fit.run_by("tensorrt-llm").kinds.items()} == {
        "launch": None,
        "gemm.bf16": "tensorrt-llm",
        "attention.decode": "vllm",
        "gemm.w4a16": "tensorrt-llm",
    }
    assert fit.run_by("tensorrt-llm").run_by(None).kinds == fit.kinds


def test_a_file_keeps_the_sets_apart_and_is_written_as_it_was_read(tmp_path: Path) -> None:
    first, second = tmp_path / "a.fit.json", tmp_path / "b.fit.json"
    write_fit(several().run_by("tensorrt-llm"), first)
    again = read_fit(first)
    write_fit(again, second)
    assert first.read_bytes() == second.read_bytes()
    assert again.kernels == again.default_kernels == "vllm"
    table = json.loads(first.read_text(encoding="utf-8"))
    assert sorted(table["kinds"]) == ["attention.decode", "gemm.bf16", "launch"]
    assert sorted(table["kernel_sets"]["tensorrt-llm"]) == ["gemm.bf16", "gemm.w4a16"]
    assert again.run_by("tensorrt-llm").kinds["gemm.bf16"].parameters["launch_us"] == 7.0


def test_a_file_with_sets_and_no_name_of_the_default_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fit.json"
    write_fit(several(), path)
    table = json.loads(path.read_text(encoding="utf-8"))
    for said, key in ((None, "kernels"), ("tensorrt-llm", r"kernel_sets\.tensorrt-llm")):
        path.write_text(json.dumps({**table, "kernels": said}), encoding="utf-8")
        with pytest.raises(FileContentError, match=key):
            read_fit(path)


def test_predictions_follow_the_chosen_set_and_say_whose_kernels_they_are() -> None:
    gpu = profile()
    shape = (16, 4096, 4096)
    plain, chosen = sim.gemm_latency(gpu, *shape), sim.gemm_latency(gpu, *shape, kernels="tensorrt-llm")
    assert (plain.kernels, chosen.kernels) == ("vllm", "tensorrt-llm")
    assert chosen.latency_s - plain.latency_s == pytest.approx(4.9e-6, abs=0.6e-6)  # launches of 7.0 and 2.1
    assert sim.gemm_latency(gpu, *shape, dtype="w4a16").kernels == "tensorrt-llm"
    # A set that the GPU was not measured with is the default's.
    assert sim.gemm_latency(gpu, *shape, kernels="sglang").latency_s == plain.latency_s
    with pytest.raises(UnknownNameError, match="kernel set"):
        sim.gemm_latency(gpu, *shape, kernels="lmdeploy")


def test_predict_says_which_kinds_are_another_engine_s() -> None:
    frame = sim.predict("llama-3.2-1b", profile(), phase="decode", context=128, kernels="tensorrt-llm")
    assert (
        "kernels of tensorrt-llm but attention.decode of vllm, for lack of its own" in frame["notes"].iloc[0]
    )
