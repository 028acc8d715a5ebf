"""`infersim frontier` and `infersim advise` through the real command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim
from tests.report.handmade import check_order, check_says, island

MODEL, GPU = ("-m", "llama-3.2-1b"), ("-g", "a100-sxm-80gb")
PAPER = (
    "frontier", "--model", "llama-3.1-8b", "--gpu", "rtx-pro-6000", "--phase", "prefill",
)  # fmt: skip


@pytest.fixture
def quality(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(
        "family,sparsity,dense,pruned,recovery,task_type\n"
        "static-m,0.25,70,68,none,zero-shot\nstatic-nk,0.5,70,60,none,zero-shot\n"
    )
    return path


def own(quality: Path, *more: str) -> tuple[str, ...]:
    return ("frontier", *MODEL, *GPU, "--quality", str(quality), *more)


@pytest.mark.slow
def test_the_claim_of_the_paper_is_judged_with_measured_and_predicted_speedups(answered: Infersim) -> None:
    text = answered(*PAPER, "--full").out.replace("\u00a0", " ")
    check_order(
        text.splitlines()[0], "lora (RedPajama, 164M tokens) recovery, zero-shot", "static-m", "2.9 %"
    )
    claims = text[text.index("arXiv:2606.09080") :]
    for cell in ("0–4 %", "5–16 %", "17–26 %", "measured", "predicted", "agrees", "RedPajama"):
        assert cell in claims


@pytest.mark.slow
def test_json_and_csv_hold_every_point(answered: Infersim) -> None:
    rows = answered(*PAPER, "--source", "arXiv:2606.09080", "--json").rows
    assert len(rows) == 15
    assert {row["regime"] for row in rows} == {"lora (RedPajama, 164M tokens)", "unstated"}
    as_csv = csv.DictReader(io.StringIO(answered(*PAPER, "--source", "arXiv:2606.09080", "--csv").out))
    assert len(list(as_csv)) == 15


def test_a_users_quality_and_an_allowed_loss(answered: Infersim, quality: Path) -> None:
    text = answered(*own(quality, "-p", "decode", "--max-loss", "5")).out.replace("\u00a0", " ")
    check_order(text.splitlines()[0], "5 %", "no recovery, zero-shot", "static-m 25 %")
    rows = answered(*own(quality, "-p", "decode", "--json")).rows
    assert [row["quality_loss_percent"] for row in rows] == [
        pytest.approx(100 * 2 / 70),
        pytest.approx(1000 / 70),
    ]
    assert {row["context"] for row in rows} == {4096}


def test_several_requests_are_told_apart(answered: Infersim, quality: Path) -> None:
    text = answered(*own(quality, "--request", "classification,reasoning", "--full")).out.replace(
        "\u00a0", " "
    )
    check_says(text, "classification", "reasoning", "memory-bound")


def test_a_page_is_written_beside_the_answer(answered: Infersim, quality: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = answered(*own(quality, "-p", "prefill", "--html", str(page), "--json"))
    assert ran.err == f"Wrote {page}\n"
    html = page.read_text(encoding="utf-8")
    assert "quality lost (%)" in html
    assert "mine.csv" in island(html, "figures")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--recovery", "hope"), "unknown recovery 'hope'"),
        (("--task", "poetry"), "unknown task type 'poetry'"),
        (("--quality-model", "gpt-2"), "gpt-2"),
        (("--request", "generation", "-p", "prefill"), "phase = 'prefill'"),
        (("--request", "haiku"), "unknown request 'haiku'"),
        (("--max-loss", "nan"), "max_loss_percent = nan"),
        (("--quality", "gone.csv"), "gone.csv"),
        (("-m", "qwen3-32b"), "qwen3-32b"),
    ],
)
def test_what_cannot_be_answered_is_told(
    refused: Callable[..., str], more: tuple[str, ...], told: str
) -> None:
    assert told in refused("frontier", "-m", "llama-3.1-8b", *GPU, *more)


def test_a_quality_file_is_never_written_over(refused: Callable[..., str], quality: Path) -> None:
    before = quality.read_text()
    assert f"output file = '{quality}'" in refused(*own(quality, "--html", str(quality)))
    assert quality.read_text() == before


def test_a_damaged_quality_file_is_told_with_its_line(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("family,sparsity,quality_loss_percent\nstatic-m,0.25,3\nstatic-m,fast,3\n")
    assert "bad.csv, line 3: sparsity = 'fast'" in refused(*own(path))


def test_advice_says_what_a_target_needs_and_where_families_pay(answered: Infersim) -> None:
    text = answered(
        "advise", *MODEL, *GPU, "-t", "1.4", "-p", "prefill", "-f", "static-m,kv-pruning", "--full"
    ).out
    text = text.replace("\u00a0", " ")
    needs, missed, never, *_ = text.splitlines()
    check_order(needs, "1.40x", "prefill", "static-m")
    check_says(missed, "kv-pruning")
    check_says(never, "never", "prefill", "kv-pruning 50 %")
    for title in ("What 1.40x needs", "Where it pays", "Widths that cost nothing"):
        assert title in text


def test_advice_without_a_target_is_where_families_pay(answered: Infersim) -> None:
    rows = answered("advise", *MODEL, *GPU, "-p", "decode", "-f", "static-m", "--json").rows
    assert [(row["family"], row["batches"]) for row in rows] == [("static-m", "always")]
    rows = answered("advise", *MODEL, *GPU, "-t", "1.4", "-f", "static-m", "-p", "decode", "--json").rows
    assert rows[0]["predicted"] >= 1.4


def test_advice_on_a_request(answered: Infersim) -> None:
    text = answered("advise", *MODEL, *GPU, "-t", "1.2", "--request", "classification", "-f", "static-m").out
    assert "Where it pays" not in text
    assert "static-m" in text


@pytest.mark.parametrize(
    "more", [("-t", "1"), ("-t", "nan"), ("-s", "1.5"), ("-s", "nan"), ("-f", "static-x")]
)
def test_bad_advice_options_are_refused(refused: Callable[..., str], more: tuple[str, ...]) -> None:
    refused("advise", *MODEL, *GPU, "-p", "decode", *more)


@pytest.mark.parametrize("sparsity", ["0", "0.001", "0.9"])
def test_advice_at_the_ends_of_sparsity_is_an_answer(answered: Infersim, sparsity: str) -> None:
    answered("advise", *MODEL, *GPU, "-p", "decode", "-f", "static-m", "-s", sparsity)
