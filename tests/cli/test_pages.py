"""`--html`: the page beside the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim

COMPARE = ("compare", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512", "-s", "0.25,0.5")
PREDICT = ("predict", "-m", "llama-3.2-1b", "-g", "l4", "-c", "512")
REPRODUCE = ("reproduce", "beyond-flops")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (COMPARE, ("static-nk", "What eats the speedup", "Left out: static-k-2:4")),
        (PREDICT, ("Roofline", "lm_head")),
        (REPRODUCE, ("Figure 2", "2,190")),
    ],
)
def test_a_page_is_written_beside_the_answer(
    answered: Infersim, tmp_path: Path, command: tuple[str, ...], said: tuple[str, ...]
) -> None:
    page = tmp_path / "report.html"
    ran = answered(*command, "--html", str(page), "--json")
    assert ran.rows == answered(*command, "--json").rows
    assert f"Wrote {page}" in ran.err
    html = page.read_text(encoding="utf-8")
    assert html.lower().startswith("<!doctype html>")
    for text in said:
        assert text in html


@pytest.mark.parametrize("command", [COMPARE[:-2], PREDICT, REPRODUCE])
def test_a_page_that_cannot_be_written_is_an_error(
    refused: Callable[..., str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    message = refused(*command, "--html", str(tmp_path / "gone" / "report.html"))
    assert "report.html" in message
    assert "a file that can be written" in message


def test_a_page_of_a_prediction_shows_one_plan(refused: Callable[..., str], tmp_path: Path) -> None:
    two = (*PREDICT, "-f", "static-m", "-s", "0.25,0.5")
    assert "a page shows one model or plan, not 2" in refused(*two, "--html", str(tmp_path / "report.html"))
