"""Parameters and weight bytes, against published totals and by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infersim.domain.dtypes import precision_named
from infersim.domain.shapes import WeightForm
from infersim.workload.counts import (
    block_linear_parameters,
    dense_values,
    parameters,
    stored_values,
    weight_bytes,
)
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Linear
from tests.toy_models import gathering_skip
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    VOCAB,
    WIDTH,
    small,
    sublayers,
    with_block,
)

BLOCK_LINEARS = HIDDEN * HEAD_DIM * (2 * HEADS + 2 * KV_HEADS) + 3 * HIDDEN * WIDTH
REST = 2 * VOCAB * HIDDEN + HIDDEN + LAYERS * 2 * HIDDEN  # tables, final norm, block norms


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("llama-2-7b", 6.74),
        ("llama-2-13b", 13.0),
        ("llama-2-70b", 69.0),
        ("llama-3.1-8b", 8.03),
        ("llama-3.1-70b", 70.6),
        ("llama-3.1-405b", 406),
        ("llama-3.2-1b", 1.24),
        ("llama-3.2-3b", 3.21),
        ("qwen2.5-7b", 7.62),
        ("qwen2.5-14b", 14.8),
        ("qwen3-8b", 8.19),
        ("qwen3-14b", 14.8),
        ("qwen3-32b", 32.8),
        ("mistral-7b", 7.25),
        ("mistral-7b-v0.1", 7.24),
        ("mixtral-8x7b", 46.7),
        ("mixtral-8x22b", 141),
        ("qwen3-30b-a3b", 30.5),
        ("qwen3-235b-a22b", 235),
        ("gpt-oss-20b", 20.9),
        ("gpt-oss-120b", 117),
        ("deepseek-v3", 671),
        ("deepseek-v2-lite", 15.7),
        ("minimax-m2.5", 229),
    ],
)
def test_published_totals(name: str, billions: float) -> None:
    """Totals as the model cards print them."""
    assert parameters(load_model(name)) == pytest.approx(billions * 1e9, rel=0.005)


def test_llama_by_hand() -> None:
    block = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
    assert parameters(load_model("llama-3.1-8b")) == 2 * 128256 * 4096 + 32 * block + 4096 == 8_030_261_248


def test_biases_and_head_norms_count() -> None:
    # Qwen2.5-7B: q, k and v biases of 28 + 4 + 4 heads of 128. Qwen3-8B: norms of q and k over 128.
    qwen2, qwen3 = load_model("qwen2.5-7b"), load_model("qwen3-8b")
    block2 = 2 * 3584**2 + 2 * 3584 * 512 + 3 * 3584 * 18944
    assert parameters(qwen2) == 2 * 152064 * 3584 + 3584 + 28 * (block2 + 2 * 3584 + 36 * 128)
    block3 = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 12288
    assert parameters(qwen3) == 2 * 151936 * 4096 + 4096 + 36 * (block3 + 2 * 4096 + 2 * 128)


def test_small_model_by_hand() -> None:
    assert block_linear_parameters(small()) == LAYERS * BLOCK_LINEARS
    assert parameters(small()) == LAYERS * BLOCK_LINEARS + REST
    assert (
        parameters(replace(small(), tied_embeddings=True)) == LAYERS * BLOCK_LINEARS + REST - VOCAB * HIDDEN
    )
    assert weight_bytes(small(), Execution()) == 2 * parameters(small())


def test_low_rank_and_2_4_matrices() -> None:
    matrix = Linear(out_features=96, in_features=64)
    assert stored_values(matrix) == dense_values(matrix) == 96 * 64
    assert stored_values(replace(matrix, rank=10)) == 10 * (96 + 64)
    sparse = replace(matrix, form=WeightForm.SPARSE_2_4)
    assert (dense_values(sparse), stored_values(sparse)) == (96 * 64, 96 * 64 / 2)


@pytest.mark.parametrize(("dtype", "bytes_each", "share"), [("bf16", 2, 9 / 16), ("fp8", 1, 5 / 8)])
def test_weight_bytes_of_2_4(dtype: str, bytes_each: int, share: float) -> None:
    _, ffn = sublayers(small())
    sparse_down = replace(ffn.down, form=WeightForm.SPARSE_2_4)
    model = with_block(small(), ffn=replace(ffn, down=sparse_down))
    execution = Execution(precision=precision_named(dtype))
    dense_matrices = LAYERS * (BLOCK_LINEARS - HIDDEN * WIDTH) * bytes_each
    sparse_matrices = LAYERS * HIDDEN * WIDTH * bytes_each * share
    assert weight_bytes(model, execution) == dense_matrices + sparse_matrices + REST * 2


def test_quantisation_spares_embedding_head_and_norms() -> None:
    execution = Execution(precision=precision_named("w4a16"))
    each = 0.5 + 2 / 128  # half a byte, and a 16-bit scale for 128 weights
    assert weight_bytes(small(), execution) == LAYERS * BLOCK_LINEARS * each + REST * 2


def test_what_pruning_adds_counts_too() -> None:
    heads, ffn = sublayers(small())
    model = with_block(
        small(),
        residual_maps=2,
        attention=replace(heads, skip=gathering_skip(0.5)),
        ffn=replace(ffn, skip=gathering_skip(0.5, router_width=8)),
    )
    added = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN + 8 * (HIDDEN + 2))
    assert parameters(model) == parameters(small()) + added
    assert block_linear_parameters(model) == block_linear_parameters(small())


def test_a_removed_sublayer_takes_its_norm() -> None:
    without = with_block(small(), ffn=None)
    assert parameters(small()) - parameters(without) == LAYERS * (3 * HIDDEN * WIDTH + HIDDEN)
