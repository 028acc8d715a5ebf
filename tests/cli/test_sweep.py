"""`infersim sweep` through the real command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Infersim

PLAN = """
model = "llama-3.2-1b"
gpu = ["l4", "a100-sxm-80gb"]
family = ["static-m", "static-nk", "static-k-2:4"]
sparsity = [0.25, 0.5]
phase = "decode"
batch = [1, 8]
context = [512, 4096]
dtype = ["bf16", "fp8"]
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN, encoding="utf-8")
    return str(file)


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "out.parquet")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_a_verdict_comes_first_then_tables_and_what_was_left_out(
    answered: Infersim, plan: str, out: str
) -> None:
    ran = answered("sweep", plan, "--out", out)
    text = plain(ran.out)
    assert text.startswith("At 25 % static-m is the fastest in ")
    assert "60 scenarios in 3 cases; a case is one GPU x dtype." in text
    for title in ("Mean speedup at each sparsity", "Fastest at each sparsity: llama-3.2-1b, decode"):
        assert title in text
    assert "Left out: static-k-2:4 at 0.25 (16 scenarios): its sparsity is 0.5\n" in ran.err
    assert "Left out: fp8 on a100-sxm-80gb (20 scenarios): a100-sxm-80gb has no fp8" in ran.err
    assert f"Wrote {out}: 60 rows\n" in ran.err
    frame = pd.read_parquet(out)
    assert len(frame) == 60


def test_json_and_csv_hold_every_mean(answered: Infersim, plan: str, out: str) -> None:
    rows = answered("sweep", plan, "-o", out, "--json").rows
    assert len(rows) == 3 * 5
    frame = pd.read_parquet(out)
    for row in rows:
        same = frame[
            (frame["gpu"] == row["gpu"]) & (frame["dtype"] == row["dtype"]) & (frame["plan"] == row["plan"])
        ]
        fits = same["fits_memory"] & same["dense_fits_memory"]
        assert (row["scenarios"], row["fitting"]) == (4, int(fits.sum()))
        assert row["predicted"] == pytest.approx(same.loc[fits, "predicted"].product() ** (1 / fits.sum()))
        assert row["low"] == same.loc[fits, "predicted"].min()
        assert row["high"] == same.loc[fits, "predicted"].max()
    best = max((row for row in rows if row["sparsity"] == 0.5), key=lambda row: row["predicted"])
    assert best["fastest"]
    again = list(csv.DictReader(io.StringIO(answered("sweep", plan, "-o", out, "--csv").out)))
    assert [row["plan"] for row in again] == [row["plan"] for row in rows]


def test_a_dry_run_writes_nothing(answered: Infersim, plan: str, out: str, tmp_path: Path) -> None:
    ran = answered("sweep", plan, "--out", out, "--dry-run")
    assert ran.out.startswith("60 scenarios in 2 chunks would take about ")
    assert "Left out: fp8 on a100-sxm-80gb" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]
    assert answered("sweep", plan, "--dry-run").code == 0


def test_a_page_is_written_beside_the_table(answered: Infersim, plan: str, out: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = answered("sweep", plan, "--out", out, "--html", str(page))
    assert f"Wrote {page}" in ran.err
    html = page.read_text(encoding="utf-8")
    for title in ("Which family", "How much it depends on batch and context", "Where it pays", "Left out"):
        assert title in html


def test_what_another_plan_wrote_is_kept(
    answered: Infersim, refused: Callable[..., str], plan: str, out: str
) -> None:
    answered("sweep", plan, "--out", out)
    before = Path(out).read_bytes()
    Path(plan).write_text(PLAN.replace("0.25, 0.5", "0.5"), encoding="utf-8")
    message = refused("sweep", plan, "--out", out)
    assert "plan.sparsity = [0.25, 0.5]; expected [0.5] as now" in message
    assert f"delete {out}" in message
    assert Path(out).read_bytes() == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "out = None; expected a .parquet file"),
        (("--out", "table.csv"), "a file that ends in .parquet"),
        (("--out", "."), "a file, and this is a folder"),
        (("--out", "/dev/null"), "a regular file"),
        (("--out", "o.parquet", "--workers", "0"), "workers = 0"),
        (("--out", "o.parquet", "--chunk-rows", "-1"), "chunk_rows = -1"),
        (("--out", "o.parquet", "--engine", "spark"), "unknown engine 'spark'"),
        (("--out", "o.parquet", "--engine", "dask"), "the address of a Dask scheduler"),
        (("--out", "o.parquet", "--scheduler", "tcp://x:1"), "--engine dask beside it"),
        (
            ("--out", "o.parquet", "--engine", "dask", "--scheduler", "tcp://x:1", "--workers", "2"),
            "none beside --engine dask",
        ),
        (("--out", "o.parquet", "--html", "o.parquet"), "this one is written already"),
        (("--out", "gone/o.parquet"), "a file in a folder that exists"),
    ],
)
def test_bad_options_are_refused(
    refused: Callable[..., str],
    plan: str,
    more: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in refused("sweep", plan, *more)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


def test_a_bad_plan_is_told_by_file_key_and_value(refused: Callable[..., str], plan: str, out: str) -> None:
    Path(plan).write_text(PLAN.replace('"l4"', '"l5"'), encoding="utf-8")
    assert f"{plan}: gpu[0] = 'l5'; expected a known" in refused("sweep", plan, "--out", out)
    assert "known: families, million" in refused("sweep", "gone", "--out", out)
