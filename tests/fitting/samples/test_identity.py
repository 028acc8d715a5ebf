"""The identity of samples: the same data is the same, whatever its order or format, and no other is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from infersim.fitting.samples.identity import identity
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples
from tests.fitting.example_samples import GEMM, every_kind, table


def test_the_digest_is_that_of_the_text_that_the_docstring_describes() -> None:
    samples = read_samples(table(GEMM | {"m": 8, "latency_us": 9.25}, GEMM)).frame
    text = (
        "gpu,kind,dtype,m,n,k,latency_us\n"
        "h100-sxm,gemm,bf16,16,4096,2048,9.5\n"
        "h100-sxm,gemm,bf16,8,4096,2048,9.25\n"
    )
    assert identity(samples)["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_row_order_does_not_matter() -> None:
    samples = read_samples(every_kind()).frame
    assert identity(samples.sample(frac=1.0, random_state=5)) == identity(samples)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_file_format_does_not_matter(tmp_path: Path, suffix: str) -> None:
    samples = read_samples(every_kind()).frame
    write_samples(samples, tmp_path / f"samples{suffix}")
    assert identity(read_samples(tmp_path / f"samples{suffix}").frame) == identity(samples)


def test_whole_numbers_are_the_same_with_or_without_a_decimal_point() -> None:
    as_float = table(GEMM).astype({"m": float, "n": float})
    assert identity(as_float)["sha256"] == identity(table(GEMM))["sha256"]


def test_any_value_and_any_duplicate_matters() -> None:
    samples = [table(GEMM), table(GEMM | {"latency_us": 9.500000000000002}), table(GEMM, GEMM)]
    assert len({identity(read_samples(frame).frame)["sha256"] for frame in samples}) == 3


def test_it_says_what_the_data_is_and_fits_into_a_json_file() -> None:
    rows = table(
        GEMM | {"source": "aiconfigurator", "version": "vllm 0.24.0"},
        GEMM | {"gpu": "l40s", "source": "aiconfigurator", "version": "vllm 0.22.0"},
    )
    known = identity(read_samples(rows).frame)
    assert json.loads(json.dumps(known)) == known
    assert known["rows_by_kind"] == {"gemm": 2}
    assert known["gpus"] == ["h100-sxm", "l40s"]
    assert known["sources"] == ["aiconfigurator"]
    assert known["versions"] == ["vllm 0.22.0", "vllm 0.24.0"]
