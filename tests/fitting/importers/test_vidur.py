"""Vidur's profiles: kernels of one tensor-parallel worker, milliseconds, fp16."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.importers.importing import import_source
from infersim.fitting.samples.account import BadSamplesError

OPS = (
    "input_layernorm",
    "attn_pre_proj",
    "attn_post_proj",
    "post_attention_layernorm",
    "mlp_up_proj",
    "mlp_act",
)
MLP_HEAD = ",".join(
    [f"time_stats.{op}.{figure}" for op in (*OPS, "mlp_down_proj") for figure in ("median", "std")]
    + [
        "n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,num_tensor_parallel_workers"
    ]
)
TIMES = "0.01,0.001,0.02,0.002,0.03,0.003,0.04,0.004,0.05,0.005,0.06,0.006,0.07,0.007"
ATTENTION_HEAD = (
    "time_stats.attn_decode.median,time_stats.attn_decode.std,time_stats.attn_prefill.median,"
    "time_stats.attn_prefill.std,n_embd,n_q_head,n_kv_head,block_size,num_tensor_parallel_workers,"
    "max_model_len,batch_size,prefill_chunk_size,kv_cache_size,is_prefill,attention_backend"
)


def write(folder: Path, name: str, *lines: str) -> Path:
    """A profile at its place in Vidur's tree."""
    path = folder / "profiling" / "compute" / "a40" / "an-org" / "a-model" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_linear_layers_are_those_of_one_worker_in_microseconds(tmp_path: Path) -> None:
    path = write(tmp_path, "mlp.csv", MLP_HEAD, f"{TIMES},32,8,4096,14336,128256,True,512,2")
    read = import_source("vidur", path)
    gemms = read.frame[read.frame["kind"] == "gemm"]
    assert gemms[["m", "n", "k"]].to_numpy().tolist() == [
        [512, 16 * 128 + 2 * 4 * 128, 4096],  # half of the 32 query heads, 8 key and 8 value heads
        [512, 4096, 16 * 128],
        [512, 2 * 14336 // 2, 4096],  # gate and up
        [512, 4096, 14336 // 2],
    ]
    assert gemms["latency_us"].tolist() == pytest.approx([20, 30, 50, 70])
    assert gemms["spread_us"].tolist() == pytest.approx([2, 3, 5, 7])
    assert set(gemms["gpu"]) == {"a40"}
    assert set(gemms["dtype"]) == {"fp16"}
    assert gemms["weight_copies"].isna().all()


def test_norms_and_activation_move_the_bytes_of_their_operands(tmp_path: Path) -> None:
    path = write(tmp_path, "mlp.csv", MLP_HEAD, f"{TIMES},32,8,4096,14336,128256,True,512,2")
    frame = import_source("vidur", path).frame
    memory = frame[frame["kind"] == "memory"]
    assert memory[["op", "read_bytes", "write_bytes", "latency_us"]].to_numpy().tolist() == [
        ["norm", 2 * 512 * 4096, 2 * 512 * 4096, pytest.approx(10.0)],
        ["norm", 2 * 512 * 4096, 2 * 512 * 4096, pytest.approx(40.0)],
        ["activation", 2 * 2 * 512 * 7168, 2 * 512 * 7168, pytest.approx(60.0)],
    ]


def test_a_plain_feed_forward_has_one_up_projection(tmp_path: Path) -> None:
    path = write(tmp_path, "mlp.csv", MLP_HEAD, f"{TIMES},32,32,2560,10240,51200,False,16,1")
    frame = import_source("vidur", path).frame
    assert 10240 in frame["n"].tolist()
    assert 20480 not in frame["n"].tolist()


def test_decode_counts_the_current_token_and_prefill_its_chunk(tmp_path: Path) -> None:
    model = "8192,64,8,16,2,4096"
    path = write(
        tmp_path,
        "attention.csv",
        ATTENTION_HEAD,
        f"0.015,0.001,,,{model},4,0,1023,False,AttentionBackend.FLASH_ATTENTION",
        f",,0.25,0.002,{model},1,512,1536,True,AttentionBackend.FLASH_ATTENTION",
    )
    frame = import_source("vidur", path).frame
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
    assert frame[columns].to_numpy().tolist() == [
        ["decode", 4, 1, 1024, 32, 4, 128, 15.0],
        ["prefill", 1, 512, 2048, 32, 4, 128, 250.0],
    ]


def test_what_was_not_timed_is_counted(tmp_path: Path) -> None:
    row = ",,,,8192,64,8,16,1,4096,4,0,128,False,AttentionBackend.FLASH_ATTENTION"
    timed = "0.02" + row
    read = import_source("vidur", write(tmp_path, "attention.csv", ATTENTION_HEAD, row, timed))
    assert read.left_out == {"not timed": 1}
    assert len(read.frame) == 1


def test_a_time_that_the_file_rounds_to_zero_is_bad_and_named_by_its_line(tmp_path: Path) -> None:
    row = ",0.0,,,8192,64,8,16,1,4096,4,0,128,False,AttentionBackend.FLASH_ATTENTION"
    path = write(tmp_path, "attention.csv", ATTENTION_HEAD, f"0.02{row}", f"0.0{row}")
    with pytest.raises(BadSamplesError, match=r"attention.csv: line 3: latency_us = 0.0"):
        import_source("vidur", path)
    read = import_source("vidur", path, skip_bad=True)
    assert (len(read.frame), len(read.set_aside)) == (1, 1)


def test_a_gpu_of_several_variants_has_to_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "mlp.csv", MLP_HEAD, f"{TIMES},32,8,4096,14336,128256,True,512,1")
    moved = tmp_path / "profiling" / "a100" / "mlp.csv"
    moved.parent.mkdir(parents=True)
    path.rename(moved)
    with pytest.raises(InfersimError, match=r"GPU 'a100'.*--gpu"):
        import_source("vidur", moved)
    assert set(import_source("vidur", moved, gpu="NVIDIA A100 80GB PCIe").frame["gpu"]) == {"a100-pcie-80gb"}


def test_one_name_cannot_stand_for_the_gpus_of_two_folders(tmp_path: Path) -> None:
    for folder in ("a100", "h100"):
        path = tmp_path / "profiling" / "compute" / folder / "an-org" / "a-model" / "mlp.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{MLP_HEAD}\n{TIMES},32,8,4096,14336,128256,True,512,1\n")
    with pytest.raises(InfersimError, match=r"GPUs.*a100, h100"):
        import_source("vidur", tmp_path, gpu="h100-sxm")
    narrowed = tmp_path / "profiling" / "compute" / "h100"
    assert set(import_source("vidur", narrowed, gpu="h100-sxm").frame["gpu"]) == {"h100-sxm"}
