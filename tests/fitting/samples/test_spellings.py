"""Columns in any case and data types as torch writes them are those of the format; errors quote the file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.fitting.samples.account import BadSamplesError
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples


def csv_of(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "head",
    [
        "GPU,Kind,dtype,M,N,K,latency_us",
        "Gpu,KIND,DType,m,n,k,Latency_US",
        " gpu ,kind,DTYPE,M,n,K,LATENCY_US",
    ],
)
def test_columns_in_any_case(tmp_path: Path, head: str) -> None:
    frame = read_samples(csv_of(tmp_path, f"{head}\nl4,gemm,bf16,16,32,64,4.5\n")).frame
    assert frame[["gpu", "dtype", "m", "n", "k", "latency_us"]].values.tolist() == [
        ["l4", "bf16", 16, 32, 64, 4.5]
    ]


@pytest.mark.parametrize(
    ("word", "dtype"),
    [
        ("bfloat16", "bf16"),
        ("torch.bfloat16", "bf16"),
        ("BF16", "bf16"),
        ("float16", "fp16"),
        ("half", "fp16"),
        ("torch.half", "fp16"),
        ("torch.float32", "fp32"),
        ("torch.float8_e4m3fn", "fp8"),
        ("float8_e5m2", "fp8"),
        ("torch.int8", "int8"),
        ("w4a16", "w4a16"),
    ],
)
def test_data_types_as_torch_writes_them(tmp_path: Path, word: str, dtype: str) -> None:
    path = csv_of(tmp_path, f"gpu,kind,dtype,m,n,k,latency_us\nl4,gemm,{word},16,32,64,4.5\n")
    assert read_samples(path).frame["dtype"].tolist() == [dtype]


def test_the_same_in_every_kind_of_file_and_for_the_cache(tmp_path: Path) -> None:
    row = {
        "GPU": "l4", "kind": "attention", "dtype": "torch.float16", "phase": "decode", "Batch": 1,
        "query_len": 1, "context_len": 64, "num_heads": 8, "num_kv_heads": 8, "head_dim": 64,
        "KV_dtype": "torch.float8_e4m3fn", "latency_us": 9.0,
    }  # fmt: skip
    for suffix in ("parquet", "jsonl", "csv"):
        path = tmp_path / f"a.{suffix}"
        write_samples(pd.DataFrame([row]), path)
        (sample,) = read_samples(path).frame.to_dict("records")
        assert (sample["gpu"], sample["batch"]) == ("l4", 1)
        assert (sample["dtype"], sample["kv_dtype"]) == ("fp16", "fp8")


def test_a_column_in_two_cases_is_refused(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "gpu,kind,dtype,m,M,n,k,latency_us\nl4,gemm,bf16,1,2,3,4,5\n")
    with pytest.raises(FileContentError, match=r"columns = 'gpu, kind, dtype, m, M, n, k, latency_us'"):
        read_samples(path)


def test_an_error_lists_the_columns_of_the_file_alone(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "Kind,M,N,time\ngemm,1,2,3\n")
    with pytest.raises(FileContentError) as caught:
        read_samples(path, defaults={"gpu": "l4", "dtype": "bf16"})
    assert "columns = 'Kind, M, N, time'; expected also k, latency_us for kind gemm" in str(caught.value)


def test_a_data_type_of_no_known_name_is_quoted_as_it_stands(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "gpu,kind,dtype,m,n,k,latency_us\nl4,gemm,torch.quint8,1,2,3,4\n")
    with pytest.raises(BadSamplesError, match=r"dtype = 'torch.quint8'; expected one of"):
        read_samples(path)


def test_a_file_of_another_ending_is_told_of_import(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="`infersim import` turns"):
        read_samples(tmp_path / "trace.json")
