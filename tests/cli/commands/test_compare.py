"""`infersim compare`: the main job, through the real command line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest

from infersim.profile_files.profiles import list_profiles
from infersim.pruning.families.registry import suitable_families
from infersim.simulation.speedups.chain import FACTORS
from infersim.workload.presets import load_model
from tests.cli.conftest import Infersim
from tests.report.handmade import check_order, check_says

MAIN = (
    "compare --model llama-3.1-8b --gpu rtx-pro-6000 --families all --sparsity 0.25,0.5 "
    "--phase both --batch 1 --context 32768"
)
SHORT = ("compare", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512")
DENSE = load_model("llama-3.2-1b")
PREDICTED = [f"loss_{name}" for name in FACTORS if name != "unexplained"]


def test_it_prints_the_verdict_then_speedups_then_losses(answered: Infersim) -> None:
    lines = answered(*MAIN.split(), "--full").out.splitlines()
    assert "static-m" in lines[0]
    assert "predicted" in lines[0]
    text = "\n".join(lines)
    for family in suitable_families(DENSE):
        assert f"{family.name} 50" in text
    for heading in ("bound", "predicted", "measured", "efficiency", "launch"):
        assert heading in text


def test_factors_multiply_to_the_speedup(answered: Infersim) -> None:
    rows = answered(*MAIN.split(), "--json").rows
    assert len(rows) == 2 * (2 * len(suitable_families(DENSE)) - 1)  # 2:4 has no 25 %
    for row in rows:
        assert row["flops"] * prod(row[name] for name in PREDICTED) == pytest.approx(
            row["predicted"], rel=1e-9
        )
        assert row["predicted"] <= row["ceiling"]


def test_what_a_family_cannot_do_is_told_beside_the_answer(answered: Infersim) -> None:
    ran = answered(*MAIN.split(), "--json")
    assert ran.err.startswith("Left out: static-k-2:4 at 0.25: ")
    assert ran.err.count("\n") == 1


def test_csv_and_json_hold_the_same_rows(answered: Infersim) -> None:
    as_json = answered(*SHORT, "-f", "static-nk", "--json").rows
    as_csv = list(csv.DictReader(io.StringIO(answered(*SHORT, "-f", "static-nk", "--csv").out)))
    assert [list(row) for row in as_csv] == [list(row) for row in as_json]
    for written, row in zip(as_csv, as_json, strict=True):
        for name, value in row.items():
            assert written[name] == ("" if value is None else str(value))


def test_an_unknown_number_is_null_in_json_and_empty_in_csv(answered: Infersim) -> None:
    row = answered(*SHORT, "-f", "static-nk", "--json").rows[0]
    assert row["measured"] is None
    # Strict readers know no NaN.
    json.loads(answered(*SHORT, "--json").out, parse_constant=lambda name: pytest.fail(name))


def test_without_files_or_families_it_compares_all(answered: Infersim) -> None:
    rows = answered(*SHORT, "--phase", "decode", "--json").rows
    assert [row["family"] for row in rows] == [family.name for family in suitable_families(DENSE)]
    assert {row["sparsity"] for row in rows} == {0.5}


def test_plans_from_files_come_first_and_alone_unless_families_are_named(
    answered: Infersim, tmp_path: Path
) -> None:
    plan = tmp_path / "mine.toml"
    plan.write_text(
        'model = "llama-3.2-1b"\n[remove]\nlayers = [3]\n[[step]]\nfamily = "static-nk"\nsparsity = 0.25\n'
    )
    from_file = ("compare", "--plan", str(plan), "-g", "l4", "-c", "512", "-p", "decode", "--json")
    assert [row["plan"] for row in answered(*from_file).rows] == ["mine"]
    both = answered(*from_file, "-f", "static-m", "-s", "0.25").rows
    assert [row["plan"] for row in both] == ["mine", "static-m 25 %"]
    assert {row["model"] for row in both} == {"llama-3.2-1b"}


def test_a_pruned_config_is_a_plan(answered: Infersim, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {
                "model_type": "llama",
                "hidden_size": 2048,
                "intermediate_size": 4096,
                "num_hidden_layers": 12,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 64,
                "vocab_size": 128256,
                "max_position_embeddings": 131072,
                "tie_word_embeddings": True,
            }
        )
    )
    rows = answered(*SHORT, "--pruned-config", str(config), "--phase", "decode", "--json").rows
    assert len(rows) == 1
    assert rows[0]["family"] == "static-m + static-nk"
    assert rows[0]["predicted"] > 1


def test_own_measurements_stand_in_for_published_ones(answered: Infersim, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(
        "gpu,model,family,sparsity,phase,batch,context,measured_speedup\n"
        "l4,llama-3.2-1b,static-nk,0.5,decode,1,512,1.3\n"
    )
    row = answered(*SHORT, "-f", "static-nk", "-p", "decode", "--measured", str(own), "--json").rows[0]
    assert row["measured"] == 1.3
    assert row["attainment"] == pytest.approx(1.3 / row["bound"])
    every = [*PREDICTED, "loss_unexplained"]
    assert row["flops"] * prod(row[name] for name in every) == pytest.approx(1.3, rel=1e-9)


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_no_number_is_cut_on_a_terminal_of_any_width(
    answered: Infersim, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    text = answered(*SHORT, "-f", "static-k-lowrank", "--full").out
    assert "…" not in text
    plain = re.sub("\x1b.*?m", "", text)
    assert "unexpl" not in plain  # nothing was measured of it
    assert "static-k-lowrank" in plain
    assert max(map(len, plain.splitlines())) <= columns


def test_batches_and_phases_are_sections_with_every_plan_in_each(answered: Infersim) -> None:
    text = answered(*SHORT, "-f", "static-m,static-nk", "-b", "1,8", "--full").out.replace("\u00a0", " ")
    heading = re.compile(r"^(?:prefill|decode), batch \d \(dense: \S+ ms\)$", flags=re.MULTILINE)
    assert len(set(heading.findall(text))) == 4
    for section in heading.split(text)[1:]:
        rows = section.partition("\n\n")[0]
        assert rows.count("static-m 50 %") == rows.count("static-nk 50 %") == 1


def test_what_is_typed_twice_is_asked_once(answered: Infersim) -> None:
    rows = answered(
        "compare", "-m", "llama-3.2-1b", "-g", "l4,l4", "-c", "512,512", "-b", "1,1", "-s", "0.5,0.5",
        "-f", "static-m,static-m", "-p", "decode", "--json",
    ).rows  # fmt: skip
    assert len(rows) == 1


def test_a_phase_beside_a_request_is_refused(refused: Callable[..., str]) -> None:
    told = refused("compare", "-m", "llama-3.2-1b", "-g", "l4", "--request", "generation", "-p", "prefill")
    check_says(told, "phase = 'prefill'", "request")


def test_a_gpu_is_found_by_how_its_name_begins(refused: Callable[..., str]) -> None:
    told = refused("compare", "-m", "llama-3.2-1b", "-g", "a100", "-c", "512")
    meant = told[told.index("did you mean ") + len("did you mean ") : told.index("?")]
    assert set(meant.split(" or ")) == {name for name in list_profiles() if name.startswith("a100-")}


def test_escape_codes_in_a_name_reach_no_terminal(answered: Infersim, tmp_path: Path) -> None:
    plan = tmp_path / "mine.toml"
    plan.write_text(
        'name = "\\u001b[31mred"\nmodel = "llama-3.2-1b"\n[[step]]\nfamily = "static-m"\nsparsity = 0.5\n'
    )
    ran = answered("compare", "--plan", str(plan), "-g", "l4", "-c", "512")
    assert "\x1b" not in ran.out + ran.err
    assert "[31mred" in ran.out


def test_a_target_takes_each_family_at_the_sparsity_that_reaches_it(answered: Infersim) -> None:
    ran = answered(*SHORT, "-p", "prefill", "--target-speedup", "1.3", "-f", "static-m,kv-pruning", "--json")
    (row,) = ran.rows
    assert row["family"] == "static-m"
    assert row["predicted"] >= 1.3
    fewer = answered(
        *SHORT, "-p", "prefill", "-f", "static-m", "-s", str(row["sparsity_realised"] - 1 / 16), "--json"
    )
    assert fewer.rows[0]["predicted"] < 1.3
    check_order(ran.err, "left out", "kv-pruning", "1.00x")
    assert ran.err.count("\n") == 1


def test_a_target_stands_beside_no_plan_from_a_file(refused: Callable[..., str], tmp_path: Path) -> None:
    plan = tmp_path / "mine.toml"
    plan.write_text('model = "llama-3.2-1b"\n[[step]]\nfamily = "static-m"\nsparsity = 0.5\n')
    told = refused("compare", "--plan", str(plan), "-g", "l4", "-c", "512", "--target-speedup", "1.5")
    check_says(told, "target_speedup = 1.5", "files")


@pytest.mark.parametrize("target", ["1", "0.5", "nan", "150"])
def test_a_target_that_is_no_speedup_is_refused(target: str, refused: Callable[..., str]) -> None:
    assert "target_speedup" in refused(*SHORT, "-p", "decode", "--target-speedup", target)


def test_a_target_that_no_family_reaches_is_told_with_its_limits(refused: Callable[..., str]) -> None:
    told = refused(*SHORT, "-p", "prefill", "--target-speedup", "5", "-f", "kv-pruning,static-k-2:4")
    assert re.search(
        r"\b5x: kv-pruning unreachable: .*\d\.\d\dx; static-k-2:4 unreachable: .*\d\.\d\dx", told
    )


def test_a_2_4_checkpoint_is_compared_with_its_dense_model(infersim: Infersim, tmp_path: Path) -> None:
    """Where no plan is asked for; with families, the checkpoint is what they prune."""
    config = {
        "model_type": "llama",
        "hidden_size": 1024,
        "intermediate_size": 2048,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "vocab_size": 1000,
        "sparsity_config": {"sparsity_structure": "2:4", "format": "dense"},
    }
    file = tmp_path / "sparse.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    asked = ("compare", "-m", str(file), "-g", "l4", "-c", "512", "--json")
    rows = json.loads(infersim(*asked).out)
    assert {row["family"] for row in rows} == {"static-k-2:4"}
    assert all(row["notes"].startswith("stored as 2:4 in all block matrices") for row in rows)
    pruned = json.loads(infersim(*asked, "--families", "static-m").out)
    assert {row["family"] for row in pruned} == {"static-m"}


def test_without_a_context_it_takes_one(answered: Infersim) -> None:
    rows = answered("compare", "-m", "llama-3.2-1b", "-g", "l4", "-f", "static-m", "--json").rows
    assert {(row["phase"], row["context"]) for row in rows} == {("prefill", 4096), ("decode", 4096)}
