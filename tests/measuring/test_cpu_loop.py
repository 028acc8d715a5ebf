"""The whole loop for real, on this machine's CPU: ceilings, kernels, fit, pruned models, comparison.

The kernels are measured once. It is checked that the loop ends and that its numbers are sane; how near they
come is for `make bench` to say, on a machine that is not busy with tests.
"""

from __future__ import annotations

import csv
import json
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

pytestmark = pytest.mark.slow

# One thread and its own time: other programs, such as tests beside this one, count for little.
CPU = ("--device", "cpu", "--threads", "1", "--clock", "cpu")
FAMILIES = "static-m,static-nk,static-k-lowrank,dynamic-m/execution=gather"
MODEL = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 1024,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}


ROWS = {"gemm space": 60, "gemm decode": 30, "attention prefill": 12, "attention decode": 12}
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


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The profile of this machine and the log of its kernels."""
    folder = tmp_path_factory.mktemp("measured")
    machine, log = folder / "cpu.toml", folder / "samples.jsonl"
    plan = smaller_plan(folder)
    infersim("measure", "machine", *CPU, "--out", str(machine))
    asked = ("--plan", str(plan), "--passes", "1", "--gpu", str(machine))
    infersim("measure", "kernels", *CPU, *asked, "--out", str(log))
    return machine, log


def test_measured_kernels_calibrate_the_cpu_that_they_were_measured_on(measured: tuple[Path, Path]) -> None:
    machine, log = map(str, measured)
    profile = load_profile(machine)
    frame = read_samples(log).frame
    assert (frame["kind"] == "gemm").sum() == 90
    assert (frame["kind"] == "attention").sum() == 24
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


def test_pruned_models_end_the_chain_at_what_is_unexplained(
    measured: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine, log = measured
    profile, fit, model, out = (
        tmp_path / name for name in ("cpu.toml", "cpu.fit.json", "model.json", "measured.csv")
    )
    profile.write_text(machine.read_text(encoding="utf-8"), encoding="utf-8")
    model.write_text(json.dumps(MODEL), encoding="utf-8")
    asked = ("--model", str(model), "--families", FAMILIES, "--context", "128", "--gpu", str(profile))

    infersim("calibrate", str(profile), str(log), "--out", str(fit))
    infersim("measure", "model", *asked, *CPU, "--out", str(out), "--seconds", "0.1")
    capsys.readouterr()
    infersim("compare", *asked, "--dtype", "fp32", "--no-cuda-graph", "--measured", str(out), "--json")
    printed = capsys.readouterr()

    assert "Measured: 8 of 8 speedups stand beside predictions." in printed.err
    with out.open(encoding="utf-8", newline="") as file:
        found = {(row["plan"], row["phase"]): row for row in csv.DictReader(file)}
    rows = json.loads(printed.out)
    assert len(rows) == 8
    for row in rows:
        own = found[row["plan"], row["phase"]]
        assert row["calibration"] == "fitted"
        assert row["measured"] == pytest.approx(float(own["measured_speedup"]))
        assert row["predicted"] * row["loss_unexplained"] == pytest.approx(row["measured"])
        # Noise included: another program may have slowed the ceilings that floors are made of.
        assert float(own["pruned_ms"]) > 0.8 * row["floor_ms"]
        assert 0.5 < row["loss_unexplained"] < 2
        assert 0.7 < row["measured"] < 3
