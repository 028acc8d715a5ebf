"""Rows that people write: each column once, in CSV and in Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infersim.domain.errors import FileContentError
from infersim.files.reading import check_spelt, rows_of


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    written = tmp_path / "losses.csv"
    written.write_text("layer, loss ,loss\n0,0.1,9\n")
    with pytest.raises(FileContentError, match=r"losses\.csv: column 3 = 'loss'; expected each column once"):
        list(rows_of(written, "importance"))
    stored = tmp_path / "losses.parquet"
    pq.write_table(pa.table([pa.array([0.1]), pa.array([9.0])], names=["loss", "loss"]), stored)
    with pytest.raises(
        FileContentError, match=r"losses\.parquet: column 2 = 'loss'; expected each column once"
    ):
        list(rows_of(stored, "importance"))


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    written = tmp_path / "losses.csv"
    written.write_text("layer,loss,,\n0,0.1,,\n")
    assert [cells for _, cells in rows_of(written, "importance")] == [{"layer": "0", "loss": "0.1"}]


def test_a_column_that_is_nearly_a_known_one_is_refused_where_that_is_missing() -> None:
    known = ("sparsity", "recovery", "note")
    with pytest.raises(
        FileContentError, match=r"line 2: column recovry = 'lora'; expected recovery, or a name"
    ):
        check_spelt({"sparsity": "0.5", "recovry": "lora"}, known, "line 2")
    check_spelt({"recovery": "none", "recovery_2": "lora", "author": "me", "run": "7"}, known, "line 2")
