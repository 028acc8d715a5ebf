"""`infersim serve`, `infersim engines` and `compare --engine`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infersim.cli.main import app

SERVE = ["serve", "-m", "llama-3.2-1b", "-g", "h100-sxm", "--prompt", "512", "--output", "64", "-n", "8"]


@pytest.mark.slow
def test_a_dense_model_and_plans_are_served_in_one_command(tmp_path: Path) -> None:
    page = tmp_path / "served.html"
    plans = ["-f", "static-nk,static-m,static-k-2:4", "--tpot-target", "8", "--html", str(page)]
    ran = CliRunner().invoke(app, [*SERVE, *plans])
    assert ran.exit_code == 0, ran.output
    assert "within the targets" in ran.stdout
    assert "What they" not in ran.stdout
    assert "Throughput against time" in page.read_text(encoding="utf-8")


def test_rows_for_machines_are_those_of_serve() -> None:
    ran = CliRunner().invoke(app, [*SERVE, "--price-per-hour", "2", "--json"])
    (row,) = json.loads(ran.stdout)
    assert row["concurrency"] == 8
    assert row["price_per_million"] > 0
    assert row["runs"] == "yes"


def test_one_request_that_fits_is_no_requests() -> None:
    long = ["serve", "-m", "llama-3.2-1b", "-g", "l4", "--prompt", "400000", "--output", "10", "-n", "1"]
    said = CliRunner().invoke(app, long).stdout
    assert "with 1 request at once: " in said
    assert "; memory holds 1 request to the last token." in said


def test_bad_input_ends_in_one_line() -> None:
    ran = CliRunner().invoke(app, [*SERVE[:-2], "-n", "many"])
    assert ran.exit_code != 0
    ran = CliRunner().invoke(app, [*SERVE, "--gpus", "3"])
    assert "gpus = 3" in str(ran.exception)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["--rate", "0"], "rate = 0.0; expected requests each second, above 0"),
        (["--rate", "nan"], "rate = nan; expected requests each second, above 0"),
        (["--rate", "2", "--requests", "3"], "requests = 3; expected an integer from 10"),
        (["--requests", "50"], "requests = 50; expected none without --simulate or --rate"),
        (["--rate", "2", "--html", "page.html"], "--html = 'page.html'; expected none"),
        (["--simulate", "--figures", "figures"], "--figures = 'figures'; expected none"),
        (["--rate", "2", "--tpot-target", "20"], "tpot-target = 20.0; expected none beside --simulate"),
        (["--simulate", "--ttft-target", "20"], "ttft-target = 20.0; expected none beside --simulate"),
        (["--rate", "2", "--price-per-hour", "3"], "price-per-hour = 3.0; expected none beside --simulate"),
        (["--rate", "2"], "concurrency = '8'; expected none beside --rate"),
        (["--sparsity", "0.25"], "sparsity = '0.25'; expected none without --families or --plan"),
    ],
)
def test_what_a_simulation_or_a_model_cannot_take_is_refused(
    refused: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    base = SERVE if "concurrency" in message else SERVE[:-2]
    assert refused(*base, *said).startswith(f"Error: {message}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ([], r"prompt, output = None; .*--prompt 1024 --output 256.*--trace"),
        (["--prompt", "100"], r"^output = None; .*--output 1024"),
        (["--output", "100"], r"^prompt = None; .*--prompt 1024"),
    ],
)
def test_missing_lengths_are_named_together_with_an_example(said: list[str], missing: str) -> None:
    ran = CliRunner().invoke(app, ["serve", "-m", "llama-3.2-1b", "-g", "h100-sxm", *said])
    assert re.search(missing, str(ran.exception))


def test_engines_are_listed_with_what_they_run_and_their_sources() -> None:
    listed = CliRunner().invoke(app, ["engines"])
    assert "What they run of pruned models" in listed.stdout
    rows = json.loads(CliRunner().invoke(app, ["engines", "--json"]).stdout)
    assert [row["engine"] for row in rows][-1] == "vllm"
    assert rows[-1]["static-k-2:4"].startswith("no, only from 0.6.6 to before 0.19")
    one = json.loads(CliRunner().invoke(app, ["engines", "sglang", "--json"]).stdout)
    assert all(row["source"] for row in one)


def test_compare_says_what_an_engine_runs() -> None:
    asked = ["compare", "-m", "llama-3.2-1b", "-g", "h100-sxm", "-f", "all", "-p", "decode", "-c", "512"]
    ran = CliRunner().invoke(app, [*asked, "--engine", "vllm", "--json"])
    rows = {row["family"]: row for row in json.loads(ran.stdout)}
    assert rows["static-m"]["runs"] == "yes"
    assert rows["static-k-2:4"]["runs"] == "no"
    assert all(row["runs_source"] for row in rows.values())
    shown = CliRunner().invoke(app, [*asked, "--engine", "vllm"]).stdout
    assert any(line.split()[:4] == ["static-m", "50", "%", "yes"] for line in shown.splitlines())
    assert "What vLLM" in CliRunner().invoke(app, [*asked, "--engine", "vllm", "--full"]).stdout
