"""The loop on this machine's CPU, for real: ceilings, kernels, calibration, errors on what was held out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from infersim.cli.main import run
from infersim.files.locations import data_folder
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import divide
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.unit_check import floors_us
from infersim.fitting.validation.validation import validate_held_out
from infersim.profile_files import load_profile

pytest.importorskip("torch")

ROWS = {"gemm space": 80, "gemm decode": 40, "attention prefill": 15, "attention decode": 15}
FEW = 6
"""Rows of every other part."""

SANE_ERROR = 0.35
"""Far above what a quiet machine reaches (see docs/measuring.md): a test must pass on a busy one too."""


def smaller_plan(folder: Path) -> Path:
    """The plan for CPUs with fewer rows, so that a test has the time for it."""
    text = (data_folder("calibration") / "plans" / "cpu.toml").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^(?=\[\[)", text)
    for place, part in enumerate(parts):
        name = re.search(r'^name = "(.+)"$', part, re.MULTILINE)
        if part.startswith("[[") and name is not None:
            parts[place] = re.sub(r"(?m)^rows = \d+$", f"rows = {ROWS.get(name[1], FEW)}", part)
    file = folder / "smaller.toml"
    file.write_text("".join(parts), encoding="utf-8")
    return file


def infersim(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 0


@pytest.mark.slow
def test_measured_kernels_calibrate_the_cpu_that_they_were_measured_on(tmp_path: Path) -> None:
    machine, log = str(tmp_path / "cpu.toml"), str(tmp_path / "samples.jsonl")
    # One thread and its own time: other programs, such as tests beside this one, count for little.
    cpu = ("--device", "cpu", "--threads", "1", "--clock", "cpu")
    infersim("measure", "machine", *cpu, "--out", machine)
    plan = str(smaller_plan(tmp_path))
    infersim("measure", "kernels", *cpu, "--plan", plan, "--passes", "1", "--gpu", machine, "--out", log)

    profile = load_profile(machine)
    frame = read_samples(log).frame
    assert (frame["kind"] == "gemm").sum() == 120
    assert (frame["kind"] == "attention").sum() == 30
    assert not read_samples(log).left_out
    floors = floors_us(frame, profile)
    known = np.isfinite(floors)
    below = frame["latency_us"].to_numpy()[known] < 0.9 * floors[known]
    assert below.mean() < 0.02

    division = divide(frame, kinds=["gemm", "attention"], hold_out=0.3)
    fitted = calibrate(profile, division.fitted)
    errors = validate_held_out(fitted, division.held_out).errors
    (gemm,) = errors[(errors["kind"] == "gemm") & (errors["division"] == "all")].to_dict("records")
    assert gemm["mape"] < SANE_ERROR
    assert gemm["mape"] < gemm["roofline_mape"]
