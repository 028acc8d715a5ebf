"""`infersim compare --sweep-set`: one number of the datasheet, from the command line to the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim

ASKED = [
    "compare",
    "-m",
    "llama-3.2-1b",
    "-g",
    "l4",
    "-f",
    "static-nk,static-k-lowrank",
    "-c",
    "512",
    "-p",
    "decode",
]
SWEPT = "memory.bandwidth_gb_s=150:1200:3"


def test_it_says_who_leads_where_then_value_by_value(answered: Infersim) -> None:
    out = answered(*ASKED, "--sweep-set", SWEPT).out
    verdict = out.splitlines()[0]
    assert "bandwidth" in verdict
    assert "static-nk" in verdict or "static-k-lowrank" in verdict
    for value in ("150 GB/s", "300 GB/s *", "675 GB/s", "1,200 GB/s"):
        assert value in out
    assert "from other cards for l4" in out


def test_rows_for_machines_name_key_and_value(answered: Infersim) -> None:
    rows = answered(*ASKED, "--sweep-set", SWEPT, "--json").rows
    assert len(rows) == 4 * 2
    assert {row["key"] for row in rows} == {"memory.bandwidth_gb_s"}
    assert [row["value"] for row in rows if row["own"]] == [300, 300]


@pytest.mark.slow
def test_the_page_shows_bound_and_prediction_along_the_number(answered: Infersim, tmp_path: Path) -> None:
    page = tmp_path / "along.html"
    answered(*ASKED, "--sweep-set", SWEPT, "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "by bandwidth" in text
    assert "Possible and predicted" in text
    assert "80 % interval" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--sweep-set", "memory.bandwidth_gb_s=8000:2000"), "memory.bandwidth_gb_s=8000:2000"),
        (("--sweep-set", "memory.bandwidth_gb_s"), "KEY=LOW:HIGH"),
        (("--sweep-set", "memory.bandwidth_gb_s=1:2:x"), "KEY=LOW:HIGH"),
        (("--sweep-set", "memory.bandwidth_gb_s=100:200:1"), "COUNT from 2"),
        (("--sweep-set", "memory.speed=1:2"), "memory.bandwidth_gb_s"),
        (("--sweep-set", SWEPT, "-g", "l4,l40s"), "gpu = 'l4, l40s'"),
    ],
)
def test_bad_input_is_told(refused: Callable[..., str], arguments: tuple[str, ...], expected: str) -> None:
    assert expected in refused(*ASKED, *arguments)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            ("--set", "memory.bandwidth_gb_s=500"),
            "set = 'memory.bandwidth_gb_s=500'; expected no number that",
        ),
        (("--engine", "vllm"), "engine = 'vllm'; expected none beside --sweep-set"),
    ],
)
def test_what_a_sweep_would_pass_over_is_refused(
    refused: Callable[..., str], said: tuple[str, ...], message: str
) -> None:
    assert refused(*ASKED, "--sweep-set", SWEPT, *said).startswith(f"Error: {message}")
