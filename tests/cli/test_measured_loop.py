"""The whole loop for real, on this CPU: ceilings, kernels, fit, pruned models, comparison.

It is checked that the loop ends and that its numbers are sane; how near they come is for `make bench` to say,
on a machine that is not busy with tests.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from infersim.profile_files.locations import data_folder

from .conftest import Infersim

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


@pytest.mark.slow
def test_loop_from_ceilings_to_unexplained(answered: Infersim, tmp_path: Path) -> None:
    profile, log, fit = (tmp_path / name for name in ("cpu.toml", "kernels.jsonl", "cpu.fit.json"))
    plan, model, out = (tmp_path / name for name in ("few.toml", "model.json", "measured.csv"))
    full = (data_folder("calibration") / "plans" / "cpu.toml").read_text(encoding="utf-8")
    plan.write_text(_fewer(full), encoding="utf-8")
    model.write_text(json.dumps(MODEL), encoding="utf-8")
    asked = ("--model", str(model), "--families", FAMILIES, "--context", "128", "--gpu", str(profile))

    answered("measure", "machine", *CPU, "--out", str(profile))
    answered(
        "measure",
        "kernels",
        *CPU,
        "--plan",
        str(plan),
        "--passes",
        "1",
        "--gpu",
        str(profile),
        "--out",
        str(log),
    )
    answered("calibrate", str(profile), str(log), "--out", str(fit))
    answered("measure", "model", *asked, *CPU, "--out", str(out), "--seconds", "0.5")
    ran = answered("compare", *asked, "--dtype", "fp32", "--no-cuda-graph", "--measured", str(out), "--json")

    assert "8 of 8" in ran.err
    with out.open(encoding="utf-8", newline="") as file:
        measured = {(row["plan"], row["phase"]): row for row in csv.DictReader(file)}
    assert len(ran.rows) == 8
    for row in ran.rows:
        found = measured[row["plan"], row["phase"]]
        assert row["calibration"] == "fitted"
        assert row["measured"] == pytest.approx(float(found["measured_speedup"]))
        assert row["predicted"] * row["loss_unexplained"] == pytest.approx(row["measured"])
        # Noise included: another program may have slowed the ceilings that floors are made of.
        assert float(found["pruned_ms"]) > 0.8 * row["floor_ms"]
        assert 0.5 < row["loss_unexplained"] < 2
        assert 0.7 < row["measured"] < 3


def _fewer(plan: str) -> str:
    """A quarter of the plan's rows of each kind."""
    fewer = re.sub(r"(?m)^rows = (\d+)$", lambda rows: f"rows = {max(8, int(rows[1]) // 4)}", plan)
    return fewer.replace('name = "cpu"', 'name = "few"')
