"""`infersim table` and `infersim search`, from typed words to files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.pruning.plan_files.reading import plan_from_file
from tests.cli.conftest import Infersim

MODEL = ("-m", "llama-3.2-1b", "-g", "h100-sxm")
DECODE = ("-p", "decode", "-b", "8", "-c", "2048")
SEARCH = ("search", *MODEL, "-i", "depth", *DECODE, "--points", "0")


def test_table_prints_each_choice_once_and_every_layer_for_machines(answered: Infersim) -> None:
    said = answered("table", *MODEL, *DECODE, "--ffn", "width=50%,none").out
    assert "48 choices of 16 layers of llama-3.2-1b on h100-sxm." in said
    assert "0–15" in said
    rows = answered("table", *MODEL, *DECODE, "--ffn", "width=50%,none", "--json").rows
    assert len(rows) == 16 * 3 + 1
    assert {row["choice"] for row in rows} == {"kept", "width=4096", "none", ""}


def test_table_writes_files_by_their_ending(answered: Infersim, tmp_path: Path) -> None:
    request = ("--prompt", "256", "--output", "16")
    ran = answered("table", *MODEL, *request, "-o", str(tmp_path / "stats.json"))
    assert "Wrote" in ran.err
    (stats,) = json.loads((tmp_path / "stats.json").read_text())
    assert stats["args"]["generation_seq_len"] == 16
    answered("table", *MODEL, *DECODE, "-o", str(tmp_path / "lut"), "--format", "halp")
    assert (tmp_path / "lut").stat().st_size > 100


def test_a_search_needs_a_layer_that_may_change(refused: Callable[..., str]) -> None:
    every = ",".join(map(str, range(16)))
    assert "keep = 'every layer'; expected at least one" in refused(*SEARCH, "-t", "1.3", "--keep", every)


def test_search_writes_a_plan_that_compare_reads(answered: Infersim, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    ran = answered(*SEARCH, "-t", "1.3", "--group", "4", "-o", str(plan), "--html", str(tmp_path / "p.html"))
    assert ran.out.startswith("The plan is predicted 1.3")
    assert "the best uniform plan" in ran.out.lower()
    assert plan_from_file(plan).title == "searched"
    compared = answered("compare", "--plan", str(plan), "-g", "h100-sxm", *DECODE, "--json").rows
    assert compared[0]["predicted"] >= 1.3
    page = (tmp_path / "p.html").read_text()
    assert "What became of each layer" in page


def test_search_of_a_service(answered: Infersim) -> None:
    served = ("--engine", "vllm", "--prompt", "512", "--output", "64", "-n", "16", "--price-per-hour", "2")
    words = ("search", *MODEL, "-i", "uniform", *served, "-t", "1.1", "--points", "0", "--group", "16")
    ran = answered(*words, "--json")
    assert {row["layer"] for row in ran.rows} == set(range(16))


def test_layers_are_rows_for_machines(answered: Infersim) -> None:
    rows = answered(*SEARCH, "-t", "1.2", "--group", "8", "--csv").out.splitlines()
    assert rows[0].startswith("layer,attention,ffn,share")
    assert len(rows) == 17


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-t", "99"), "target_speedup = 99.0; expected at most speedup"),
        ((), "at least one of target_speedup"),
        ((), "such as --target-speedup 1.5"),
        (("-t", "1.2", "--keep", "0,16"), "keep = 16; expected a layer from 0 to 15, or -16 to -1"),
        (("-t", "1.2", "--keep=-17"), "keep = -17; expected a layer from 0 to 15"),
        (("-t", "1.2", "--metric", "lm_loss"), "metric = 'lm_loss'; expected none beside losses that"),
        (("-t", "1.2", "-o", "plan.json"), "output file = 'plan.json'; expected a file that ends in .toml"),
        (("-t", "1.2", "-i", "uniforme"), "'uniforme'; expected an existing file, or a rule: uniform, depth"),
        (("-t", "1.2", "--ffn", "width=99999999"), "a whole number from 1 to 16777216 after ="),
        (("-t", "1.2", "--engine", "vllm"), "phase = 'decode'; expected none beside --engine"),
        (("-t", "1.2", "-n", "8"), "concurrency = 8; expected none without --engine"),
        (("-t", "1.2", "--ffn", "narrow"), "for ffn: kept, none"),
        (("-t", "1.2", "--keep", "x"), "expected an integer"),
        (("-t", "1.2", "--sure", "1"), "a probability"),
        (("-t", "1.2", "-g", "h100-sxm,l4"), "expected one GPU"),
    ],
)
def test_slips_exit_with_2(refused: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    assert said in refused(*SEARCH, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "puzzletron"), "format = 'puzzletron'; expected none without --out"),
        (
            ("--out", "table.txt"),
            "spdy and halp have one scenario in a file, the table has 2: expected one phase",
        ),
    ],
)
def test_slips_of_a_table_exit_with_2(refused: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    assert said in refused("table", *MODEL, *words)


@pytest.mark.parametrize("command", ["search", "table"])
def test_help_breaks_no_choice_in_two(answered: Infersim, command: str) -> None:
    said = answered(command, "--help").out
    for example in ("kv_heads=4,heads=50%,none,linear,fp8.", "width=25%..75%/25%,width=50%+fp8,none,2:4."):
        assert example in said
