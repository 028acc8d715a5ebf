"""Rows that are no samples: each is named with file, line, column, value and expectation, or set aside."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from infersim.fitting.samples.account import BadSamplesError
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.schema import Rule
from tests.fitting.example_samples import ATTENTION, GEMM, MEMORY, SPARSE, table
from tests.report.handmade import check_order, check_says

COUNT = Rule.COUNT.value


def write_rows(path: Path, *rows: dict[str, object]) -> None:
    """Write rows as a person would: a header, then text, spelt as given."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (GEMM, "m", "-4", COUNT),
        (GEMM, "m", "0", COUNT),
        (GEMM, "k", "2.5", COUNT),
        (GEMM, "n", "nan", COUNT),
        (GEMM, "n", "", COUNT),
        (GEMM, "n", "inf", COUNT),
        (GEMM, "n", "4,096", COUNT),
        (GEMM, "latency_us", "0", Rule.POSITIVE),
        (GEMM, "latency_us", "-1.5", Rule.POSITIVE),
        (GEMM, "latency_us", "fast", Rule.POSITIVE),
        (GEMM, "latency_us", "1e-300", Rule.POSITIVE),
        (GEMM, "m", "1e30", COUNT),
        (GEMM, "latency_us", "1e400", Rule.POSITIVE),
        (GEMM, "dtype", "bf17", "bf16, fp16, fp8, int8, fp8_static"),
        (GEMM, "kind", "matmul", "gemm, sparse_gemm, attention, memory"),
        (GEMM, "gpu", "", Rule.NAME),
        (GEMM | {"weight_copies": "6"}, "weight_copies", "0", COUNT),
        (GEMM | {"throttled": "false"}, "throttled", "maybe", Rule.TRUTH),
        (GEMM | {"spread_us": "0.1"}, "spread_us", "-0.1", Rule.AMOUNT),
        (GEMM | {"sparsity": ""}, "sparsity", "2:4", "empty, or kind sparse_gemm"),
        (SPARSE, "sparsity", "4:8", "one of 2:4, 6:8"),
        (SPARSE, "dtype", "w4a16", "bf16, fp16, fp8, int8"),
        (ATTENTION, "phase", "training", "one of prefill, decode"),
        (ATTENTION, "query_len", "2", "1 in phase decode"),
        (ATTENTION, "num_heads", "33", "a multiple of num_kv_heads"),
        (ATTENTION | {"kv_dtype": "fp8"}, "kv_dtype", "q4", "or empty"),
        (MEMORY, "op", "", Rule.NAME),
        (MEMORY, "read_bytes", "-1", Rule.AMOUNT),
    ],
)
def test_a_bad_value_is_named_with_its_place_and_what_was_expected(
    tmp_path: Path, row: dict[str, object], column: str, value: str, expected: str
) -> None:
    path = tmp_path / "samples.csv"
    write_rows(path, row, row | {column: value}, row)
    with pytest.raises(BadSamplesError) as refusal:
        read_samples(path)
    (bad,) = refusal.value.bad
    shown = repr(value) if value not in ("", "nan") else "empty"
    assert (bad.file, bad.line, bad.column, bad.value) == (str(path), 3, column, shown)
    assert expected in bad.expected
    assert str(bad) in str(refusal.value)


def test_a_query_longer_than_its_context_is_bad() -> None:
    row = ATTENTION | {"phase": "prefill", "query_len": 4097}
    read = read_samples(table(row), skip_bad=True)
    assert read.set_aside[0].column == "query_len"
    assert "at most context_len" in read.set_aside[0].expected


def test_a_kernel_that_moves_no_bytes_is_bad() -> None:
    read = read_samples(table(MEMORY | {"read_bytes": 0, "write_bytes": 0}), skip_bad=True)
    (bad,) = read.set_aside
    check_says(bad.expected, "0", "bytes")


def test_true_is_no_number_even_beside_ones() -> None:
    read = read_samples(table(GEMM | {"m": 1}, GEMM | {"m": True}), skip_bad=True)
    assert [(row.line, row.column) for row in read.set_aside] == [(2, "m")]
    assert read.frame["m"].tolist() == [1]


def test_good_rows_are_what_is_left_when_bad_ones_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write_rows(path, GEMM | {"m": 1}, GEMM | {"m": "x"}, GEMM | {"m": 3}, GEMM | {"latency_us": ""})
    read = read_samples(path, skip_bad=True)
    assert read.frame["m"].tolist() == [1, 3]
    assert [row.line for row in read.set_aside] == [3, 5]
    assert read.rows_read == len(read.frame) + len(read.set_aside)
    check_order(read.account(), "2 rows set aside", f"{path}: line 3", "m = 'x'", COUNT)


def test_each_row_counts_once_by_its_first_fault() -> None:
    read = read_samples(table(GEMM | {"m": -1, "n": -1, "latency_us": 0.0}), skip_bad=True)
    assert len(read.set_aside) == 1


def test_the_error_lists_the_first_few_and_counts_all() -> None:
    with pytest.raises(BadSamplesError) as refusal:
        read_samples(table(*[GEMM | {"m": -row} for row in range(8)]))
    text = str(refusal.value)
    check_order(text, "8 of 8 rows", "m = -1", "3 more", "--skip-bad")
    assert text.count(COUNT) == 5


def test_lines_count_blank_lines_and_a_byte_order_mark_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write_rows(path, GEMM, GEMM | {"m": "none of it"})
    header, good, bad = path.read_text().splitlines()
    path.write_text(f"\ufeff{header}\n\n{good}\n\n{bad}\n", encoding="utf-8")
    assert [row.line for row in read_samples(path, skip_bad=True).set_aside] == [5]


def test_a_line_with_too_few_or_too_many_cells_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write_rows(path, GEMM)
    path.write_text(path.read_text() + "h100-sxm,gemm\n" + "a,b,c,d,e,f,g,h\n")
    read = read_samples(path, skip_bad=True)
    assert len(read.frame) == 1
    assert [(bad.file, bad.line, bad.column, bad.value) for bad in read.set_aside] == [
        (str(path), 3, "line", "'h100-sxm,gemm'"),
        (str(path), 4, "line", "'a,b,c,d,e,f,g,h'"),
    ]
    for bad in read.set_aside:
        check_says(bad.expected, "7 cells")
