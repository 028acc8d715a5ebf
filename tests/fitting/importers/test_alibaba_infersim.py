"""Alibaba InferSim's tables: fp8 GEMMs, attention by the heads in the file name, microseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.fitting.importers.importing import import_source

GEMM = "m,k,n,latency_us,mfu\n16,2048,6144,10.5,0.1\n"
DECODE = (
    "dtype,kv_dtype,batch_size,kv_len,latency_us,mfu\nbf16,bf16,16,4096,63.5,0.1\nbf16,fp8,16,4096,40.5,0.1\n"
)
PREFILL = "dtype,seq_len,latency_us,mfu\nbf16,1024,98.5,0.5\n"


def write(folder: Path, place: str, text: str) -> Path:
    """A file at `place` in the `bench_data` tree."""
    path = folder / "bench_data" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_whole_tree_is_read_but_for_kernels_of_other_kinds(tmp_path: Path) -> None:
    write(tmp_path, "gemm/h20/data.csv", GEMM)
    write(tmp_path, "grouped_gemm/decode/h20/data.csv", "num_experts,up_proj_us\n8,1.0\n")
    write(tmp_path, "mha/decode/h20/16-2-256.csv", DECODE)
    write(tmp_path, "mha/prefill/h20/16-2-256.csv", PREFILL)
    frame = import_source("alibaba-infersim", tmp_path).frame
    assert frame["kind"].tolist() == ["gemm", "attention", "attention", "attention"]
    assert set(frame["gpu"]) == {"h20"}


def test_gemms_are_fp8_with_k_before_n_in_the_file(tmp_path: Path) -> None:
    (row,) = import_source("alibaba-infersim", write(tmp_path, "gemm/h20/data.csv", GEMM)).frame.to_dict(
        "records"
    )
    assert (row["dtype"], row["m"], row["n"], row["k"], row["latency_us"]) == ("fp8", 16, 6144, 2048, 10.5)
    assert row["includes_act_quant"] is False


def test_attention_takes_its_heads_from_the_file_name(tmp_path: Path) -> None:
    columns = [
        "phase",
        "batch",
        "query_len",
        "context_len",
        "num_heads",
        "num_kv_heads",
        "head_dim",
        "latency_us",
    ]
    decode = import_source("alibaba-infersim", write(tmp_path, "mha/decode/h20/16-2-256.csv", DECODE)).frame
    assert decode[columns].to_numpy().tolist() == [
        ["decode", 16, 1, 4096, 16, 2, 256, 63.5],
        ["decode", 16, 1, 4096, 16, 2, 256, 40.5],
    ]
    assert decode["kv_dtype"].tolist()[1] == "fp8"
    prefill = import_source(
        "alibaba-infersim", write(tmp_path, "mha/prefill/h20/32-8-128.csv", PREFILL)
    ).frame
    assert prefill[columns].to_numpy().tolist() == [["prefill", 1, 1024, 1024, 32, 8, 128, 98.5]]


def test_attention_in_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileContentError, match=r"files HEADS-KVHEADS-HEADDIM\.csv"):
        import_source("alibaba-infersim", write(tmp_path, "mha/decode/h20/heads.csv", DECODE))
