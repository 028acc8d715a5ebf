"""Parquet is read in the thread that asks: a pool that is at work when a process ends may abort it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infersim.files.parquet import arrow_frame, parquet_groups, parquet_table

PACKAGE = Path(__file__).resolve().parents[2] / "infersim"

THREADED = {"read_table", "read_parquet", "read_row_group", "read_row_groups", "iter_batches", "to_pandas"}
"""Calls of Arrow and pandas that use Arrow's pools where nothing is said."""


def threaded(code: str) -> list[str]:
    """Calls in `code` that do."""
    return [
        name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "attr", getattr(node.func, "id", ""))) in THREADED
        and not any(
            each.arg == "use_threads" and isinstance(each.value, ast.Constant) and each.value.value is False
            for each in node.keywords
        )
    ]


def test_no_module_reads_with_arrows_threads() -> None:
    found = {
        path.name: names
        for path in PACKAGE.rglob("*.py")
        if (names := threaded(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("code", ["pq.read_table(file)", "pd.read_parquet(file)", "table.to_pandas()"])
def test_threads_are_noticed(code: str) -> None:
    assert len(threaded(code)) == 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.parquet"
    numbers = list(range(50))
    table = pa.table({name: [float(each) for each in numbers] for name in "abcdefgh"} | {"n": numbers})
    pq.write_table(table, path, row_group_size=20)
    return path


def test_a_table_its_columns_and_its_groups(file: Path) -> None:
    with file.open("rb") as opened:
        whole = parquet_table(opened)
    assert whole.column_names == [*"abcdefgh", "n"]
    assert parquet_table(file.read_bytes()).equals(whole)
    some = arrow_frame(parquet_table(file.read_bytes(), ["n", "a"]))
    assert some["n"].tolist() == list(range(50))
    assert sorted(some.columns) == ["a", "n"]
    with file.open("rb") as opened:
        assert [len(group) for group in parquet_groups(opened, ["n"])] == [20, 20, 10]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
def test_reading_starts_no_thread(file: Path) -> None:
    code = (
        "import os, sys, pyarrow.parquet\n"
        "from infersim.files.parquet import arrow_frame, parquet_groups, parquet_table\n"
        "import pandas\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "with open(sys.argv[1], 'rb') as file: arrow_frame(parquet_table(file))\n"
        "with open(sys.argv[1], 'rb') as file: list(parquet_groups(file, ['a', 'b']))\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0"
