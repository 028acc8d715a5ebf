"""`infersim measure model`, for real, on a model that takes milliseconds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from infersim.cli.interrupts import STOPPED
from infersim.measuring.model import runs
from infersim.measuring.model.alternation import alternate
from infersim.measuring.model.execution.executor import build
from tests.cli.conftest import Infersim, Ran
from tests.report.handmade import check_order, check_says

pytestmark = pytest.mark.slow

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    return path


def measure(infersim: Infersim, model: Path, out: Path, *more: str) -> Ran:
    return infersim(
        "measure",
        "model",
        "--model",
        str(model),
        "--out",
        str(out),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--context",
        "32",
        "--seconds",
        "0.01",
        *more,
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_families_leave_a_row_each(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "measured.csv"
    ran = measure(infersim, model, out, "--batch", "2")
    assert ran.code == 0, ran.err
    rows = rows_of(out)
    assert len(rows) == 2 * 8
    by_status = {row["status"].partition(":")[0] for row in rows}
    assert by_status == {"ok", "unsupported"}
    assert {row["family"] for row in rows if row["status"] != "ok"} == {"static-k-2:4"}
    for row in rows:
        if row["status"] == "ok":
            assert float(row["dense_ms"]) / float(row["pruned_ms"]) == pytest.approx(
                float(row["measured_speedup"])
            )
            assert float(row["dense_ms_ffn"]) > 0
            assert "qkv" in row["dense_ops_ms"]
    assert "static-nk-cross" in ran.out


def test_rows_stand_beside_predictions(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    """The chain ends at what was measured, and what did not join says why."""
    out = tmp_path / "measured.csv"
    measure(infersim, model, out, "--families", "static-nk,static-k-2:4", "--gpu", "h100-sxm")
    asked = ["compare", "--model", str(model), "--gpu", "h100-sxm", "--context", "32", "--measured", str(out)]
    same = [*asked, "--families", "static-nk", "--dtype", "fp32", "--no-cuda-graph"]
    ran = infersim(*same, "--json")
    assert ran.code == 0, ran.err
    for row, measured in zip(json.loads(ran.out), rows_of(out), strict=False):
        assert row["measured"] == pytest.approx(float(measured["measured_speedup"]))
        assert row["predicted"] * row["loss_unexplained"] == pytest.approx(row["measured"])
    joined, missing = ran.err.splitlines()
    check_says(joined, "2 of 2")
    check_order(missing, "not measured", "static-k-2:4 50 %", "unsupported")
    assert "--dtype fp32" in infersim(*asked, "--families", "static-nk", "--no-cuda-graph").err
    assert "--no-cuda-graph" in infersim(*asked, "--families", "static-nk", "--dtype", "fp32").err
    separate = [*same, "--execution", "separate"]
    assert "--execution fused" in infersim(*separate).err


def test_the_same_command_goes_on(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "measured.csv"
    measure(infersim, model, out, "--families", "static-m")
    before = rows_of(out)
    ran = measure(infersim, model, out, "--families", "static-m,static-nk")
    assert ran.code == 0, ran.err
    assert rows_of(out)[:2] == before
    assert [row["plan"] for row in rows_of(out)[2:]] == ["static-nk 50 %"] * 2
    check_order(ran.err, str(out), "2 rows", "2")


def test_an_interruption_costs_the_row_in_hand_only(
    infersim: Infersim, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "measured.csv"
    times = iter([None, KeyboardInterrupt()])

    def interrupted(*arguments: object) -> object:
        trouble = next(times)
        if trouble is not None:
            raise trouble
        return alternate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "alternate", interrupted)
    ran = measure(infersim, model, out, "--families", "static-m,static-nk")
    assert ran.code == STOPPED
    assert str(out) in ran.err
    assert len(rows_of(out)) == 1
    monkeypatch.undo()
    assert measure(infersim, model, out, "--families", "static-m,static-nk").code == 0
    keys = [(row["plan"], row["phase"]) for row in rows_of(out)]
    assert len(keys) == len(set(keys)) == 4


def test_out_of_memory_is_a_row_and_not_the_end(
    infersim: Infersim, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def scarce(transformer: object, *arguments: object) -> object:
        if len(transformer.blocks) == 2:  # type: ignore[attr-defined]
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return build(transformer, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "build", scarce)
    out = tmp_path / "measured.csv"
    assert measure(infersim, model, out, "--families", "static-m,static-nk", "--phase", "decode").code == 0
    assert [row["status"] for row in rows_of(out)] == ["out of memory", "ok"]


def test_a_stack_of_layers_is_named_and_joined_as_one(
    infersim: Infersim, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "measured.csv"
    ran = measure(infersim, model, out, "--families", "static-m", "--layers", "2", "--gpu", "h100-sxm")
    check_says(ran.err, "stack of 2 of 4 layers")
    assert {row["model"] for row in rows_of(out)} == {"tiny (2 of 4 layers)"}
    asked = ["compare", "--model", str(model), "--gpu", "h100-sxm", "--context", "32", "--measured", str(out)]
    asked += ["--families", "static-m", "--dtype", "fp32", "--no-cuda-graph"]
    check_says(infersim(*asked).err, "0 of 2", "--layers")
    check_says(infersim(*asked, "--layers", "2").err, "2 of 2")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--families", "static-q"], "unknown family 'static-q'"),
        (["--families", "dynamic-m/execution"], "FAMILY/OPTION=VALUE"),
        (["--families", "dynamic-m/pace=3"], "'pace'"),
        (["--plan", "missing.toml"], "missing.toml"),
        (["--dtype", "fp8"], "predicted only"),
        (["--layers", "5"], "layers = 5"),
        (["--seconds", "0"], "seconds = 0"),
        (["--context", "0"], "context = 0"),
        (["--phase", "both at once"], "unknown phase"),
        (["--batch", "1000000", "--context", "100000"], "needs"),
    ],
)
def test_slips_are_told(
    infersim: Infersim, model: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    ran = measure(infersim, model, tmp_path / "measured.csv", *more)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "measured.csv").exists()


def test_memory_says_what_is_needed_and_free(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    ran = measure(infersim, model, tmp_path / "measured.csv", "--batch", "1000000", "--context", "100000")
    check_order(ran.err, "GiB", "--batch", "--context")
    assert ran.err.count(" GiB") == 2


def test_no_gpu_names_the_cpu(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    ran = infersim("measure", "model", "--model", str(model), "--out", str(tmp_path / "measured.csv"))
    assert ran.code == 2
    assert "--device cpu" in ran.err


def test_another_model_is_not_mixed_in(infersim: Infersim, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "measured.csv"
    measure(infersim, model, out, "--families", "static-m", "--phase", "decode")
    before = out.read_bytes()
    model.write_text(json.dumps({**CONFIG, "intermediate_size": 192}), encoding="utf-8")
    ran = measure(infersim, model, out, "--families", "static-m", "--phase", "decode")
    assert ran.code == 2
    assert "give another --out" in ran.err
    assert out.read_bytes() == before


@pytest.mark.gpu
@pytest.mark.parametrize("graph", ["--cuda-graph", "--no-cuda-graph"])
def test_a_gpu_measures_every_family(infersim: Infersim, model: Path, tmp_path: Path, graph: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    wide = {**CONFIG, "hidden_size": 512, "intermediate_size": 1024, "num_attention_heads": 8}
    model.write_text(json.dumps(wide), encoding="utf-8")
    out = tmp_path / "measured.csv"
    ran = infersim(
        "measure",
        "model",
        "--model",
        str(model),
        "--out",
        str(out),
        "--context",
        "256",
        graph,
        "--seconds",
        "0.2",
    )
    assert ran.code == 0, ran.err
    assert {row["plan"]: row["status"] for row in rows_of(out) if row["status"] != "ok"} == {}
