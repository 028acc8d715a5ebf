"""aiconfigurator's tables: columns, milliseconds, data types, GPUs, and what cannot be a sample."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from infersim.domain.errors import FileContentError, InfersimError
from infersim.fitting.importers.importing import import_source

HEAD = "framework,version,device,op_name,kernel_source"
H100 = "NVIDIA H100 80GB HBM3"
GEMMS = f"""{HEAD},gemm_dtype,m,n,k,latency,power
VLLM,0.24.0,{H100},gemm,made_up,bfloat16,1,256,512,0.0025,310.5
VLLM,0.24.0,{H100},gemm,made_up,fp8,16,256,512,0.00375,0.0
VLLM,0.24.0,{H100},gemm,made_up,int8_wo,16,256,512,0.004,0.0
VLLM,0.24.0,{H100},gemm,made_up,fp8_block,16,256,512,0.005,0.0
VLLM,0.24.0,{H100},gemm,made_up,nvfp4,16,256,512,0.005,0.0
VLLM,0.24.0,{H100},gemm,made_up,fp8_ootb,32,256,512,0.005,0.0
"""
ATTENTION = (
    ",batch_size,isl,num_heads,num_key_value_heads,head_dim,beam_width,attn_dtype,kv_cache_dtype,step,latency"
)


def write(path: Path, text: str) -> Path:
    """A file of the tree, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_gemms_become_samples_in_microseconds_over_six_weight_copies(tmp_path: Path) -> None:
    read = import_source("aiconfigurator", write(tmp_path / "gemm_perf.txt", GEMMS))
    assert read.frame[["gpu", "kind", "source", "version"]].drop_duplicates().to_numpy().tolist() == [
        ["h100-sxm", "gemm", "aiconfigurator", "vllm 0.24.0"]
    ]
    assert read.frame["dtype"].tolist() == ["bf16", "fp8", "w8a16", "fp8_block", "nvfp4"]
    assert read.frame["latency_us"].tolist() == pytest.approx([2.5, 3.75, 4.0, 5.0, 5.0])
    assert read.frame["includes_act_quant"].tolist() == [False, True, None, True, True]
    assert set(read.frame["weight_copies"]) == {6}
    assert read.frame["power_w"].tolist()[0] == 310.5
    assert read.frame["power_w"].isna().tolist() == [False, True, True, True, True]


def test_data_types_without_a_counterpart_are_left_out_and_counted(tmp_path: Path) -> None:
    read = import_source("aiconfigurator", write(tmp_path / "gemm_perf.txt", GEMMS))
    assert read.left_out == {"gemm_dtype fp8_ootb": 1}
    assert read.rows_read == 6


def test_tensorrt_llm_rotates_five_weight_copies(tmp_path: Path) -> None:
    text = f"{HEAD},gemm_dtype,m,n,k,latency\nTRTLLM,1.0.0,{H100},gemm,x,float16,8,64,64,0.002\n"
    read = import_source("aiconfigurator", write(tmp_path / "gemm_perf.txt", text))
    assert read.frame[["dtype", "weight_copies"]].to_numpy().tolist() == [["fp16", 5]]


def test_context_attention_is_prefill_over_prefix_and_prompt(tmp_path: Path) -> None:
    row = f"VLLM,0.24.0,{H100},context_attention,x"
    text = (
        f"{HEAD}{ATTENTION}\n{row},2,1024,32,8,128,1,bfloat16,bfloat16,0,0.15\n"
        f"{row},2,1024,32,8,128,1,bfloat16,fp8,512,0.2\n"
    )
    frame = import_source("aiconfigurator", write(tmp_path / "context_attention_perf.txt", text)).frame
    dimensions = ["phase", "batch", "query_len", "context_len", "num_heads", "num_kv_heads", "head_dim"]
    assert frame[dimensions].to_numpy().tolist() == [
        ["prefill", 2, 1024, 1024, 32, 8, 128],
        ["prefill", 2, 1024, 1536, 32, 8, 128],
    ]
    assert frame["kv_dtype"].tolist()[1] == "fp8"
    assert pd.isna(frame["kv_dtype"].tolist()[0])


def test_generation_attention_is_decode_over_prompt_and_step(tmp_path: Path) -> None:
    row = f"VLLM,0.24.0,{H100},generation_attention,x"
    text = (
        f"{HEAD}{ATTENTION},window_size\n{row},8,4095,32,8,128,1,bfloat16,bfloat16,1,0.06,0\n"
        f"{row},8,4095,32,8,128,1,bfloat16,bfloat16,1,0.03,128\n"
        f"{row},8,4095,32,8,128,4,bfloat16,bfloat16,1,0.09,0\n"
    )
    read = import_source("aiconfigurator", write(tmp_path / "generation_attention_perf.txt", text))
    (row_read,) = read.frame.to_dict("records")
    assert (row_read["phase"], row_read["query_len"], row_read["context_len"]) == ("decode", 1, 4096)
    assert read.left_out == {"sliding window": 1, "beam search": 1}


def test_a_tree_of_text_and_parquet_is_read_whole_and_other_tables_are_not(tmp_path: Path) -> None:
    system = tmp_path / "systems" / "data" / "h100_sxm"
    write(system / "vllm" / "0.24.0" / "gemm_perf.txt", GEMMS)
    write(system / "vllm" / "0.24.0" / "mla_perf.txt", "framework,latency\nVLLM,1\n")
    parquet = system / "gemm" / "sglang" / "0.5.10" / "gemm_perf.parquet"
    parquet.parent.mkdir(parents=True)
    row = {"gemm_dtype": "bfloat16", "m": 4, "n": 8, "k": 16, "latency": 0.002, "device": H100}
    pd.DataFrame([row | {"framework": "SGLang", "version": "0.5.10"}]).to_parquet(parquet)
    frame = import_source("aiconfigurator", tmp_path).frame
    assert sorted(frame["version"].unique()) == ["sglang 0.5.10", "vllm 0.24.0"]
    assert len(frame) == 6


def test_the_system_folder_names_the_gpu_where_the_device_does_not(tmp_path: Path) -> None:
    text = GEMMS.replace(H100, "cuda device")
    path = write(tmp_path / "systems" / "data" / "a100_sxm" / "gemm_perf.txt", text)
    assert set(import_source("aiconfigurator", path).frame["gpu"]) == {"a100-sxm-80gb"}
    with pytest.raises(InfersimError, match=r"GPU 'cuda device'.*--gpu"):
        import_source("aiconfigurator", write(tmp_path / "elsewhere" / "gemm_perf.txt", text))


def test_a_git_lfs_pointer_is_told_from_a_table(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    for name in ("gemm_perf.txt", "gemm_perf.parquet"):
        with pytest.raises(FileContentError, match=r"LFS.*git lfs pull"):
            import_source("aiconfigurator", write(tmp_path / name, pointer))


def test_an_attention_table_that_names_no_phase_is_refused(tmp_path: Path) -> None:
    text = f"{HEAD}{ATTENTION}\nVLLM,1,{H100},attention,x,2,1024,32,8,128,1,bfloat16,bfloat16,0,0.15\n"
    with pytest.raises(FileContentError, match=r"context.*generation"):
        import_source("aiconfigurator", write(tmp_path / "attention.txt", text))


def test_a_table_without_its_framework_has_no_version(tmp_path: Path) -> None:
    """A column fewer: what is known of the rest is read, whatever type pandas gives to texts."""
    lines = [line.partition(",")[2] for line in GEMMS.splitlines()]
    frame = import_source(
        "aiconfigurator", write(tmp_path / "gemm_perf.txt", "\n".join(lines[:3]) + "\n")
    ).frame
    assert len(frame) == 2
    assert "version" not in frame.columns or frame["version"].isna().all()


def test_a_device_that_is_a_number_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "gemm_perf.txt", GEMMS.replace(H100, "100"))
    with pytest.raises(InfersimError, match="names the GPU '100'"):
        import_source("aiconfigurator", path)


def test_exchanges_count_the_bytes_of_a_whole_buffer(tmp_path: Path) -> None:
    row = f"TRTLLM,2.27.3,{H100}"
    text = (
        f"{HEAD},nccl_dtype,num_gpus,message_size,latency\n{row},all_gather,NCCL,half,8,1024,0.012\n"
        f"{row},alltoall,NCCL,int8,4,1024,0.01\n{row},broadcast,NCCL,half,4,1024,0.01\n"
    )
    read = import_source("aiconfigurator", write(tmp_path / "nccl_perf.txt", text))
    columns = ["kind", "exchange", "gpus", "message_bytes", "library", "latency_us"]
    assert read.frame[columns].to_numpy().tolist() == [
        ["collective", "all_gather", 8, 2048, "nccl", 12.0],
        ["collective", "all_to_all", 4, 1024, "nccl", 10.0],
    ]
    assert read.left_out == {"op_name broadcast": 1}


def test_an_engines_all_reduce_says_where_the_host_was_timed(tmp_path: Path) -> None:
    row = f"VLLM,0.24.0,{H100},all_reduce,vLLM,bfloat16"
    text = (
        f"{HEAD},allreduce_dtype,num_gpus,message_size,latency,backend\n{row},8,4096,0.0055,vllm_graph\n"
        f"{row},8,4096,0.023,vllm_eager\n{row},1,4096,0.001,vllm_graph\n"
    )
    read = import_source("aiconfigurator", write(tmp_path / "custom_allreduce_perf.txt", text))
    assert read.frame["message_bytes"].tolist() == [8192, 8192]
    assert [None if pd.isna(way) else way for way in read.frame["timed"]] == [None, "host"]
    assert read.frame["library"].isna().all()
    assert read.left_out == {"one GPU": 1}


EXPERTS = (
    "moe_dtype,num_tokens,hidden_size,inter_size,topk,num_experts,"
    "moe_tp_size,moe_ep_size,distribution,latency"
)


def test_expert_layers_are_those_of_one_gpu(tmp_path: Path) -> None:
    rows = (
        f"VLLM,0.24.0,{H100},moe,x,bfloat16,16,4096,1536,8,128,2,1,balanced,0.75",
        f"VLLM,0.24.0,{H100},moe,x,w4a16_mxfp4,1,2880,2880,4,32,1,8,power_law_1.2,0.0375",
        f"VLLM,0.24.0,{H100},moe,x,fp8,1,2688,1856,6,128,1,1,balanced,0.0625",
        f"VLLM,0.24.0,{H100},moe,x,fp8,1,2688,1856,6,128,1,1,zipf,0.0625",
    )
    text = "\n".join((f"{HEAD},{EXPERTS}", *rows)) + "\n"
    read = import_source("aiconfigurator", write(tmp_path / "moe_perf.txt", text))
    assert read.left_out == {"distribution zipf": 1}
    assert set(read.frame["kind"]) == {"moe"}
    assert set(read.frame["weight_copies"]) == {1}
    assert read.frame["dtype"].tolist() == ["bf16", "mxfp4a16", "fp8"]
    assert read.frame["gated"].tolist() == [True, True, False]
    assert read.frame["latency_us"].tolist() == pytest.approx([750, 37.5, 62.5])
    sizes = [
        "tokens",
        "hidden_size",
        "ffn_width",
        "top_k",
        "num_experts",
        "tensor_parallel",
        "expert_parallel",
    ]
    assert read.frame[sizes].to_numpy().tolist()[0] == [16, 4096, 1536, 8, 128, 2, 1]
    assert read.frame["routing"].tolist() == ["balanced", "power_law_1.2", "balanced"]
