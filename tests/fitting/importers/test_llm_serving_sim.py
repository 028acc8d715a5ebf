"""LLMServingSim's layer times: a layer of one tensor-parallel worker, microseconds, bf16."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.fitting.importers.importing import import_source

LINES = (
    "layer,tokens,time_us",
    "act_fn,64,3.2",
    "embedding,16,5.8",
    "embedding,64,2.7",
    "final_layernorm,64,2.8",
    "layernorm,64,2.4",
    "o_proj,64,50.0",
    "qkv_proj,64,75.0",
    "rotary_emb,64,2.5",
    "sampler,64,99.0",
)


def write(folder: Path, place: str, *lines: str) -> Path:
    path = folder / "perf" / place / "dense.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_are_those_of_one_worker(tmp_path: Path) -> None:
    write(tmp_path, "RTX4090/meta-llama/Llama-3.1-8B/bf16/tp2", *LINES)
    read = import_source("llm-serving-sim", tmp_path)
    assert set(read.frame["gpu"]) == {"rtx-4090"}
    gemms = read.frame[read.frame["kind"] == "gemm"]
    # Half of 32 query heads and 8 KV heads of 128; the hidden size stays whole.
    assert gemms[["m", "n", "k"]].to_numpy().tolist() == [[64, 4096, 2048], [64, 3072, 4096]]
    assert gemms["weight_copies"].isna().all() if "weight_copies" in gemms else True
    small = read.frame[read.frame["kind"] == "memory"].set_index("op")
    moved = {op: (row["read_bytes"] / 128, row["write_bytes"] / 128) for op, row in small.iterrows()}
    assert moved == {  # values a token: 64 tokens of 2 bytes
        "activation": (2 * 7168, 7168),
        "embedding": (4096, 4096),
        "add_norm": (2 * 4096, 2 * 4096),
        "layer_norms": (1.5 * 4096, 1.5 * 4096),
        "rotary": (20 * 128 + 128, 20 * 128),
    }
    assert set(small["rows"]) == {64}
    assert sum(read.left_out.values()) == 2  # the sampler, and few rows gathered one by one


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("RTX4090/an-org/Strange-1B/bf16/tp1", "an-org/Strange-1B"),
        ("RTX4090/bf16", "tpN"),
    ],
)
def test_what_is_not_known_is_an_error(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(InfersimError, match=said):
        import_source("llm-serving-sim", write(tmp_path, place, *LINES))
