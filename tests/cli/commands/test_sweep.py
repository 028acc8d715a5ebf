"""`infersim sweep` through the real command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Infersim
from tests.report.handmade import check_order, check_says, island

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
    return text.replace("\u00a0", " ").replace("\\u00a0", " ")


def test_a_verdict_comes_first_then_tables_and_what_was_left_out(
    answered: Infersim, plan: str, out: str
) -> None:
    ran = answered("sweep", plan, "--out", out, "--full")
    text = plain(ran.out)
    check_order(text.splitlines()[0], "25 %", "static-m", "fastest")
    check_order(text, "60 scenarios", "GPU x dtype", "mean speedup", "llama-3.2-1b, decode")
    check_says(text, "60 scenarios in 3 cases")
    sparsity, dtype, wrote = ran.err.splitlines()
    check_order(sparsity, "left out", "static-k-2:4 at 0.25", "16 scenarios", "0.5")
    check_order(dtype, "left out", "fp8 on a100-sxm-80gb", "20 scenarios")
    check_order(wrote, out, "60 rows")
    frame = pd.read_parquet(out)
    assert len(frame) == 60


@pytest.mark.slow
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
    check_order(ran.out, "60 scenarios", "2 chunks")
    check_says(ran.err, "left out", "fp8 on a100-sxm-80gb")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]
    assert answered("sweep", plan, "--dry-run").code == 0


def test_a_dry_run_is_told_to_machines_too(answered: Infersim, plan: str) -> None:
    (row,) = answered("sweep", plan, "--dry-run", "--json", "-w", "2").rows
    assert (row["rows"], row["chunks"], row["workers"]) == (60, 2, 2)
    assert row["seconds"] == pytest.approx(row["core_s"] / 2)
    (cells,) = csv.DictReader(io.StringIO(answered("sweep", plan, "--dry-run", "--csv").out))
    assert (cells["rows"], cells["workers"]) == ("60", "1")


@pytest.mark.slow
def test_a_page_is_written_beside_the_table(answered: Infersim, plan: str, out: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = answered("sweep", plan, "--out", out, "--html", str(page))
    assert f"Wrote {page}" in ran.err
    html = page.read_text(encoding="utf-8")
    shown = f"{html} {island(html, 'data')}".replace("\u00a0", " ")
    for text in ("static-nk 50 %", "a100-sxm-80gb", "its sparsity is 0.5"):
        assert text in shown


@pytest.mark.slow
def test_what_another_plan_wrote_is_kept(
    answered: Infersim, refused: Callable[..., str], plan: str, out: str
) -> None:
    answered("sweep", plan, "--out", out)
    before = Path(out).read_bytes()
    Path(plan).write_text(PLAN.replace("0.25, 0.5", "0.5"), encoding="utf-8")
    message = refused("sweep", plan, "--out", out)
    check_order(message, "plan.sparsity = [0.25, 0.5]", "[0.5]", f"delete {out}")
    assert Path(out).read_bytes() == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "out = None"),
        (("--out", "table.csv"), "out = 'table.csv'"),
        (("--out", "/dev/null"), "'/dev/null'"),
        (("--out", "o.parquet", "--workers", "0"), "workers = 0"),
        (("--out", "o.parquet", "--chunk-rows", "-1"), "chunk_rows = -1"),
        (("--out", "o.parquet", "--engine", "spark"), "engine 'spark'"),
        (("--out", "o.parquet", "--engine", "dask"), "scheduler = None"),
        (("--out", "o.parquet", "--scheduler", "tcp://x:1"), "scheduler = 'tcp://x:1'"),
        (
            ("--out", "o.parquet", "--engine", "dask", "--scheduler", "tcp://x:1", "--workers", "2"),
            "workers = 2",
        ),
        (("--out", "o.parquet", "--html", "o.parquet"), "'o.parquet'"),
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
    check_order(refused("sweep", plan, "--out", out), f"{plan}: gpu[0] = 'l5'", "l4")
    check_says(refused("sweep", "gone", "--out", out), "'gone'", "families, million")
