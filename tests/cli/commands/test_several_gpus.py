"""`--gpus` of the commands: rows, tables, the page's figure, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim
from tests.report.handmade import check_says, island

ASKED = ("-m", "llama-3.1-70b", "-g", "h100-sxm", "-p", "decode", "-c", "2048")


def test_compare_takes_several_numbers_and_tells_of_plans_that_cannot_be_shared(answered: Infersim) -> None:
    ran = answered("compare", *ASKED, "-f", "static-nk", "-s", "0.125,0.5", "--gpus", "1,8", "--json")
    assert [(row["plan"], row["gpus"]) for row in ran.rows] == [("static-nk 50 %", 1), ("static-nk 50 %", 8)]
    alone, shared = ran.rows
    assert (alone["loss_communication"], alone["ms_communication"]) == (1.0, 0.0)
    assert shared["loss_communication"] < 1
    check_says(ran.err, "Left out: static-nk 12.5 %", "7 KV heads and 8 GPUs")


def test_people_see_a_column_for_each_number(answered: Infersim) -> None:
    out = answered("compare", *ASKED, "-f", "static-nk", "--gpus", "1,2,8", "--full").out
    check_says(out, "Speedups by number of GPUs", "1 GPU", "2 GPUs", "8 GPUs", "communication")
    one = answered("compare", *ASKED, "-f", "static-nk", "--full").out
    assert "communication" not in one


@pytest.mark.slow
def test_the_page_draws_speedups_against_gpus(answered: Infersim, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answered("compare", *ASKED, "-f", "static-m,static-nk", "-s", "0.5", "--gpus", "1,8", "--html", str(page))
    text = page.read_text("utf-8")
    check_says(text, "Speedup on more GPUs", "less on 8 GPUs than on 1", "GPUs 1 and 8")
    assert "GPUs that share the model" in island(text, "figures")


@pytest.mark.parametrize("command", [("predict",), ("serve", "--prompt", "64", "--output", "8")])
def test_numbers_are_those_of_a_node(command: tuple[str, ...], answered: Infersim) -> None:
    asked = ASKED if command == ("predict",) else ASKED[:4]
    (row,) = answered(*command, *asked, "--gpus", "8", "--json").rows
    assert row["gpus"] == 8
    assert row["memory_gib"] < 60


@pytest.mark.slow
def test_advice_is_for_that_many(answered: Infersim) -> None:
    (row,) = answered("advise", *ASKED, "-t", "1.2", "-f", "static-nk", "--gpus", "8", "--json").rows
    assert row["gpus"] == 8
    assert row["sparsity_realised"] > 0.4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", *ASKED, "--gpus", "3"), "gpus = 3; expected 1, 2, 4, 8"),
        (("predict", *ASKED, "--gpus", "16"), "at most 8, the GPUs of a node of h100-sxm"),
        (("compare", *ASKED, "-f", "static-nk", "-s", "0.125", "--gpus", "8"), "no plan can be shared"),
        (("compare", *ASKED, "--gpus", "two"), "gpus = 'two'; expected an integer"),
        (("compare", *ASKED, "--gpus", "2", "--expert-parallel"), "expert_parallel = True; expected false"),
        (("advise", *ASKED, "-t", "1.2", "--gpus", "3"), "gpus = 3; expected 1, 2, 4, 8"),
        (("predict", "-m", "llama-3.1-8b", "-g", "jetson-orin-agx", "-c", "64", "--gpus", "2"), "gpus = 2"),
    ],
)
def test_what_no_node_runs_is_refused(
    arguments: tuple[str, ...], said: str, refused: Callable[..., str]
) -> None:
    check_says(refused(*arguments), said)
