"""A user's own measurements: what they state besides the scenario, and what became of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.pruning.composition import prune
from infersim.simulation.measured.files import load_measured
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.measured_columns import measured_account
from infersim.simulation.speedups.scenarios import make_execution
from infersim.workload.presets import load_model
from tests.report.handmade import check_order, check_says

HEADER = (
    "gpu,model,family,plan,sparsity,phase,batch,context,dtype,execution,cuda_graph,"
    "measured_speedup,dense_ms,pruned_ms,status,colour"
)
ROW = {
    "gpu": "h100-sxm",
    "model": "llama-3.1-8b",
    "family": "static-m",
    "plan": "static-m 50 %",
    "sparsity": "0.5",
    "phase": "decode",
    "batch": "1",
    "context": "1024",
    "dtype": "bf16",
    "execution": "fused",
    "cuda_graph": "True",
    "measured_speedup": "1.5",
    "dense_ms": "6",
    "pruned_ms": "4",
    "status": "ok",
    "colour": "blue",
}


def file_of(folder: Path, *rows: dict[str, str]) -> Path:
    lines = [",".join({**ROW, **row}.values()) for row in rows]
    path = folder / "mine.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def compared(path: Path, **execution: object) -> tuple[list[float], list[str]]:
    """Measured column of one plan in one scenario, and the account of the file."""
    model = load_model("llama-3.1-8b")
    table = load_measured(path)
    asked = {"dtype": "bf16", "execution": "fused", "cuda_graph": True, **execution}
    frame = compare(
        model,
        prune(model, "static-m", 0.5),
        "h100-sxm",
        phase="decode",
        context=1024,
        measured=table,
        **asked,  # type: ignore[arg-type]  # the mapping is mixed
    )
    account = measured_account(table, frame, make_execution(**asked))  # type: ignore[arg-type]
    return frame["measured"].tolist(), account


def test_a_row_of_the_same_execution_is_joined_with_its_times(tmp_path: Path) -> None:
    model = load_model("llama-3.1-8b")
    frame = compare(
        model,
        prune(model, "static-m", 0.5),
        "h100-sxm",
        phase="decode",
        context=1024,
        measured=file_of(tmp_path, {}),
    )
    row = frame.iloc[0]
    assert (row["measured"], row["measured_dense_ms"], row["measured_ms"]) == (1.5, 6.0, 4.0)
    assert row["predicted"] * row["loss_unexplained"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"gpu": "my-card"}, ("my-card", "h100-sxm")),
        ({"model": "llama-3.1-8b (8 of 32 layers)"}, ("--layers",)),
        ({"dtype": "fp32"}, ("--dtype fp32",)),
        ({"execution": "separate"}, ("--execution separate",)),
        ({"cuda_graph": "False"}, ("--no-cuda-graph",)),
        ({"plan": "static-m 50 % (target=ffn)"}, ("static-m 50 % (target=ffn)",)),
        ({"plan": "", "sparsity": "0.25"}, ("static-m", "sparsity")),
        ({"plan": "", "family": "static-nk"}, ("of static-nk, which is not compared", "for: static-m")),
        ({"plan": "", "family": "static-m + static-nk"}, ("of static-m + static-nk, which is not",)),
        ({"phase": "prefill"}, ("phase prefill",)),
        ({"batch": "2"}, ("batch 2",)),
        ({"context": "2048"}, ("context 2048",)),
    ],
)
def test_a_row_of_something_else_says_why(
    tmp_path: Path, changes: dict[str, str], facts: tuple[str, ...]
) -> None:
    measured, account = compared(file_of(tmp_path, changes))
    assert measured != [1.5]
    joined, reason = account
    check_says(joined, "0 of 1")
    check_order(reason, *facts)


def test_an_account_reads_like_this_also_where_rows_state_no_execution(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"execution": "", "cuda_graph": "", "plan": "", "dtype": ""})
    measured, account = compared(path, cuda_graph=False)
    assert measured == [1.5]
    assert account == ["Measured: 1 of 1 speedups stand beside predictions."]


def test_what_could_not_be_measured_is_told_once(tmp_path: Path) -> None:
    failed = {"status": "out of memory", "measured_speedup": "", "dense_ms": "", "pruned_ms": ""}
    path = file_of(tmp_path, {}, {"plan": "static-nk 50 %", "family": "static-nk", **failed}, failed)
    table = load_measured(path)
    assert len(table.rows) == 1
    assert table.failures == ("static-nk 50 %: out of memory", "static-m 50 %: out of memory")
    _, account = compared(path)
    (failure,) = (line for line in account if "static-nk" in line)
    check_order(failure, "not measured", "static-nk 50 %", "out of memory")


def test_composed_plans_bear_the_names_of_their_families(tmp_path: Path) -> None:
    assert load_measured(file_of(tmp_path, {"family": "static-m + static-nk"})).rows
    with pytest.raises(FileContentError, match="family"):
        load_measured(file_of(tmp_path, {"family": "static-m + static-q"}))
