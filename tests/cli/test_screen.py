"""One screen: every command's default answer fits it at 80 and 100 columns, and `--full` loses nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from infersim.cli import printing
from infersim.fitting.samples.writing import write_samples
from infersim.report.core.screen import Answer, brief, screen_lines
from infersim.report.core.terminal import as_text
from tests.cli.conftest import Infersim
from tests.fitting.synthetic_samples import (
    GPU,
    attention_shapes,
    gemm_shapes,
    known_kind,
    known_profile,
    measured,
)

MOST_LINES = 40
WIDTHS = (80, 100)
PRIVATE = (
    "told",
    "hangs on it most",
    "never pays",
    "leave to write",
    "ceil-",
    "unver-",
    "attain-",
    "concur-",
    "list[Path]",
    "above the bound of",
    "as dense is the less efficient",
)

MODEL = ("-m", "llama-3.2-1b")
PLAN = 'model = "llama-3.2-1b"\ngpu = ["l4", "a10"]\nfamily = ["static-m", "static-nk"]\n'
PLAN += 'sparsity = [0.25, 0.5]\nphase = "decode"\nbatch = [1]\ncontext = [512]\n'
SWEPT = ("--sweep-set", "memory.bandwidth_gb_s=200:600:5")
NEUSIGHT = "OPName,Latency,Device,B,M,N,K\nlinear,0.5,Tesla T4,1,64,512,2048\n"

QUICK = (
    ("gpus",),
    ("gpus", "h100-sxm"),
    ("gpus", "rtx-4090", "--explain"),
    ("models",),
    ("engines",),
    ("glossary",),
    ("glossary", "bound"),
    ("doctor",),
    ("engines", "vllm"),
    ("gemm", "1,16,64,256,1024,4096", "4096,14336", "4096,14336,28672", "-g", "h100-sxm,l4"),
    ("predict", *MODEL, "-g", "l4", "-c", "1024"),
    ("predict", *MODEL, "-g", "l4,h100-sxm", "-c", "128,512,1024,2048,4096,8192", "-b", "1,8,32"),
    ("compare", *MODEL, "-g", "l4", "-p", "decode", "-c", "1024"),
    ("compare", *MODEL, "-g", "l4", "-p", "decode", "-c", "1024", "-e", "vllm"),
    ("compare", *MODEL, "-g", "l4,h100-sxm,rtx-4090", "-f", "static-m,static-k-2:4,static-nk", "-c", "1024"),
    ("compare", *MODEL, "-g", "l4,a10", "-f", "static-m,static-nk", "-b", "1,8,32", "-c", "512,1024,4096"),
    ("compare", *MODEL, "-g", "l4", "-f", "static-m,kv-pruning", "-p", "decode", "-c", "1024", *SWEPT),
    ("serve", *MODEL, "-g", "l4", "--prompt", "512", "--output", "128"),
    ("serve", *MODEL, "-g", "l4,a10", "--prompt", "512", "--output", "128", "-f", "static-m,static-nk"),
    ("table", *MODEL, "-g", "l4", "-c", "1024"),
    ("reproduce", "beyond-flops"),
    ("sweep", "plan.toml", "--out", "out.parquet"),
    ("import", "neusight", "linear.csv", "--out", "imported.csv"),
    ("validate", GPU, "samples.parquet"),
)
SLOW = (
    ("advise", *MODEL, "-g", "l4"),
    ("advise", *MODEL, "-g", "l4", "-t", "1.3", "-f", "static-m,static-nk,static-k-2:4"),
    ("frontier", "-m", "llama-3.1-8b", "-g", "h100-sxm"),
    ("frontier", "-m", "llama-3.1-8b", "-g", "a100-sxm-80gb", "--max-loss", "5"),
    ("search", *MODEL, "-g", "l4", "-i", "depth", "-t", "1.3", "-p", "decode", "-c", "1024"),
    ("reproduce", "published"),
    ("calibrate", GPU, "attention.parquet", "--hold-out", "0.3"),
)


def _name(arguments: tuple[str, ...]) -> str:
    return " ".join(arguments)[:60]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What commands are about to print; files that some read are in the folder."""
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text(PLAN, encoding="utf-8")
    Path("linear.csv").write_text(NEUSIGHT, encoding="utf-8")
    found: list[Answer] = []
    printed = printing.print_answer

    def kept(answer: Answer, *, full: bool) -> None:
        found.append(answer)
        printed(answer, full=full)

    monkeypatch.setattr(printing, "print_answer", kept)
    return found


def _samples() -> None:
    truth = known_profile(known_kind("gemm.bf16"), known_kind("attention.decode", launch_us=11.0))
    attention = measured(attention_shapes(120, 1, "decode"), truth, noise=0.05)
    gemm = measured(gemm_shapes(60, 1), truth, noise=0.05)
    write_samples(attention, "attention.parquet")
    write_samples(pd.concat([gemm, attention], ignore_index=True), "samples.parquet")


@pytest.mark.parametrize("arguments", QUICK, ids=_name)
def test_an_answer_fits_one_screen(
    answered: Infersim, answers: list[Answer], arguments: tuple[str, ...]
) -> None:
    check(answered, answers, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", SLOW, ids=_name)
def test_an_answer_that_takes_longer_fits_one_screen(
    answered: Infersim, answers: list[Answer], arguments: tuple[str, ...]
) -> None:
    check(answered, answers, arguments)


def check(answered: Infersim, answers: list[Answer], arguments: tuple[str, ...]) -> None:
    """Run a command once and look at its answer at each width, and in full."""
    if any(word.endswith(".parquet") for word in arguments):
        _samples()
    ran = answered(*arguments)
    (answer,) = answers
    for width in WIDTHS:
        lines = [line.text for line in screen_lines(answer, width)]
        aside = sum(-(-len(line) // width) for line in ran.err.splitlines())
        assert len(lines) + aside <= MOST_LINES, (width, len(lines), aside)
        assert max(map(len, lines)) <= width
        text = "\n".join(lines).replace("\u00a0", " ")
        assert not [word for word in PRIVATE if word in text]
        _check_heads(answer, lines)
        assert len(brief(answer.verdict, width)) <= 3
    assert len(ran.out.splitlines()) <= MOST_LINES
    _check_full(answer)


def _check_heads(answer: Answer, lines: list[str]) -> None:
    """Every word over a column is one of its heading's: none is cut or broken."""
    table = answer.first
    assert table is not None
    words = {word for column in table.columns for word in column.heading.split()}
    rule = next(place for place, line in enumerate(lines) if line.startswith("─"))
    assert set(lines[rule - 1].split()) <= words


def _check_full(answer: Answer) -> None:
    """All of it is in full: each sentence, each note, and every cell of every table."""
    full = as_text(answer.verdict, answer.tables).replace("\u00a0", " ")
    for said in (*answer.verdict.sentences, *answer.verdict.notes):
        assert said in full
    for table in answer.tables:
        assert table.title in full
        assert table.caption in full
        for row in table.rows():
            assert all(cell in full for cell in row)


def test_full_prints_all_and_machines_get_what_they_got(answered: Infersim, answers: list[Answer]) -> None:
    command = ("predict", *MODEL, "-g", "l4", "-c", "128,1024", "-p", "decode")
    full = answered(*command, "--full")
    assert full.out == as_text(answers[0].verdict, answers[0].tables)
    assert answered(*command, "--json").out == answered(*command, "--json", "--full").out
    assert answered(*command, "--csv").out == answered(*command, "--csv", "--full").out


def test_a_good_number_is_not_called_extrapolated(answered: Infersim) -> None:
    """A warning is for what is uncertain, not for a kernel unlike the measured ones that is known well."""
    text = answered("predict", "-m", "llama-3.1-8b", "-g", "h100-sxm", "-c", "1024", "-p", "decode").out
    graded = next(line for line in text.splitlines() if line.startswith("Calibration"))
    assert "measured on h100-sxm" in graded
    assert "of the time" not in text
    assert "extrapolated" not in graded
