"""One GPU's share of dense models, by hand from published sizes, and shares that add up to the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.arrays import as_array
from infersim.domain.ops import Part
from infersim.domain.shapes import Gemm, Phase
from infersim.pruning.composition import prune
from infersim.workload.counts import parameters, parameters_by_part, weight_bytes
from infersim.workload.memory import kv_cache_bytes, memory_use
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.presets import load_model
from infersim.workload.scenario import Scenario
from infersim.workload.transformer import Attention, Block, FeedForward, Linear, ReplacedSublayer, Transformer
from tests.toy_models import transformer_from_sizes
from tests.workload.parallel.examples import exchanged, on, ops_on

LLAMA_70B = load_model("llama-3.1-70b")
HIDDEN, VOCAB, LAYERS = 8192, 128256, 80


def sublayers(model: Transformer) -> tuple[Attention, FeedForward]:
    attention, ffn = model.blocks[0].attention, model.blocks[0].ffn
    assert isinstance(attention, Attention)
    assert isinstance(ffn, FeedForward)
    return attention, ffn


def flop_by_part(model: Transformer, gpus: int, phase: Phase) -> dict[Part, float]:
    """FLOPs of the GEMMs of one GPU, by part."""
    found: dict[Part, float] = {}
    for op in ops_on(model, gpus, phase, batch=3, context=640):
        if isinstance(op.shape, Gemm):
            flop = 2.0 * as_array(op.shape.m) * op.shape.n * op.shape.k * op.count
            found[op.part] = found.get(op.part, 0.0) + float(flop)
    return found


def test_one_gpu_has_the_model_itself() -> None:
    assert gpu_share(LLAMA_70B, on(1)) is LLAMA_70B


def test_an_eighth_of_llama_70b_by_hand() -> None:
    share = gpu_share(LLAMA_70B, on(8))
    attention, ffn = sublayers(share)
    # 64 query heads and 8 KV heads of 128 channels, an FFN width of 28672.
    assert (attention.num_heads, attention.num_kv_heads, ffn.width) == (8, 1, 3584)
    assert share.vocab == VOCAB // 8
    layer = 8 * 128 * HIDDEN + 2 * 128 * HIDDEN + HIDDEN * 8 * 128 + 3 * 3584 * HIDDEN + 2 * HIDDEN
    assert parameters(share) == LAYERS * layer + 2 * VOCAB // 8 * HIDDEN + HIDDEN
    scenario = Scenario(phase=Phase.DECODE, batch=4, context=1000, execution=on(8))
    assert float(kv_cache_bytes(share, scenario)) == LAYERS * 4 * 1000 * 2 * 128 * 2


@pytest.mark.parametrize(("phase", "tokens"), [(Phase.DECODE, 16), (Phase.PREFILL, 16 * 2048)])
def test_what_eight_gpus_exchange_of_llama_70b_by_hand(phase: Phase, tokens: int) -> None:
    found = exchanged(ops_on(LLAMA_70B, 8, phase, batch=16, context=2048))
    # Two all-reduces a layer of the stream in 16 bit, one of the embedded tokens; all logits of 16 sequences.
    stream = tokens * HIDDEN * 2
    assert found == {
        "embedding_all_reduce": (stream, 1),
        "attn_all_reduce": (stream, LAYERS),
        "ffn_all_reduce": (stream, LAYERS),
        "logits_all_gather": (16 * VOCAB * 2, 1),
    }


def test_norms_over_the_whole_of_q_and_k_add_up_squares() -> None:
    # MiniMax-M2.5: 62 layers, each with an RMS norm over all heads of q and one over all of k.
    found = exchanged(ops_on(load_model("minimax-m2.5"), 4, batch=16))
    assert found["qk_norm_all_reduce"] == (16 * 2 * 4, 62)
    assert not [op for op in ops_on(load_model("minimax-m2.5"), 1) if "qk_norm_all" in op.name]
    # Qwen3's norms are of each head.
    assert "qk_norm_all_reduce" not in exchanged(ops_on(load_model("qwen3-32b"), 4))


def test_one_gpu_exchanges_nothing() -> None:
    assert exchanged(ops_on(LLAMA_70B, 1)) == {}


@settings(max_examples=25, deadline=None)
@given(
    gpus=st.sampled_from([2, 4, 8, 16]),
    kv_heads=st.sampled_from([1, 2, 4, 8, 16]),
    per_gpu=st.integers(1, 40),
    layers=st.integers(1, 3),
)
def test_shares_add_up_to_the_whole(gpus: int, kv_heads: int, per_gpu: int, layers: int) -> None:
    model = transformer_from_sizes(
        hidden=256,
        layers=layers,
        num_heads=16,
        num_kv_heads=kv_heads,
        width=per_gpu * gpus,
        vocab=64 * gpus,
        head_dim=16,
        qk_norm=True,
    )
    whole, of_one = parameters_by_part(model), parameters_by_part(gpu_share(model, on(gpus)))
    # Each GPU has all norms; KV heads fewer than GPUs stand on several of them.
    copies = max(gpus, kv_heads) - kv_heads
    assert gpus * of_one["norms"] == gpus * whole["norms"]
    assert gpus * of_one["attention"] == whole["attention"] + layers * 2 * copies * 16 * 256
    for part in ("ffn", "embedding", "head"):
        assert gpus * of_one[part] == whole[part]
    for phase in Phase:
        shared, alone = flop_by_part(model, gpus, phase), flop_by_part(model, 1, phase)
        assert gpus * shared[Part.FFN] == pytest.approx(alone[Part.FFN])
        assert gpus * shared[Part.LM_HEAD] == pytest.approx(alone[Part.LM_HEAD])
        tokens = 3 * (640 if phase is Phase.PREFILL else 1)
        more = layers * 2.0 * tokens * 2 * copies * 16 * 256
        assert gpus * shared[Part.QKVO] == pytest.approx(alone[Part.QKVO] + more)


@pytest.mark.parametrize(
    ("family", "sparsity"), [("static-k-lowrank", 0.5), ("static-k-2:4", 0.5), ("static-nk-cross", 0.5)]
)
def test_shares_of_pruned_models_add_up_too(family: str, sparsity: float) -> None:
    model = prune(LLAMA_70B, family, sparsity).transformer
    for phase in Phase:
        shared, alone = flop_by_part(model, 4, phase), flop_by_part(model, 1, phase)
        for part, flop in alone.items():
            # Ranks are rounded up to 8 for each GPU.
            assert 4 * shared[part] == pytest.approx(flop, rel=0.02), part
    assert 4 * weight_bytes(gpu_share(model, on(4)), on(4)) == pytest.approx(
        weight_bytes(model, on(1)), rel=0.02
    )


def test_both_factors_of_a_pair_are_split_and_exchange_once_more() -> None:
    model = prune(LLAMA_70B, "static-k-lowrank", 0.5).transformer
    attention, ffn = sublayers(gpu_share(model, on(8)))
    rank = sublayers(model)[1].up.rank
    assert rank is not None
    part = -(-rank // 64) * 8
    assert (ffn.up.out_features, ffn.up.in_features, ffn.up.rank, ffn.up.inner) == (
        3584,
        8192,
        part,
        8 * part,
    )
    assert (ffn.down.out_features, ffn.down.in_features) == (8192, 3584)
    assert (ffn.down.rank, ffn.down.inner) == (8 * part, part)
    found = exchanged(ops_on(model, 8, batch=2))
    # Gate and up gather their ranks together; what down sums up in ranks is scattered, then added up.
    assert found["gate_up.all_gather"] == (2 * 2 * 8 * part * 2, LAYERS)
    assert found["down.reduce_scatter"] == (2 * 8 * part * 2, LAYERS)
    assert found["ffn_all_reduce"] == (2 * HIDDEN * 2, LAYERS)
    assert attention.o.inner is not None


def test_maps_of_the_residual_stream_are_split_and_gathered() -> None:
    model = prune(LLAMA_70B, "static-nk-cross", 0.5).transformer
    found = exchanged(ops_on(model, 8, batch=2))
    for name in ("attn_residual_map", "ffn_residual_map"):
        assert found[f"{name}_all_gather"] == (2 * model.hidden * 2, LAYERS)


def test_a_linear_layer_in_a_sublayers_place_is_split_by_its_inputs() -> None:
    linear = Linear(out_features=256, in_features=256)
    block = Block(attention=ReplacedSublayer(linear=linear), ffn=None)
    toy = transformer_from_sizes(
        hidden=256, layers=1, num_heads=8, num_kv_heads=8, width=512, vocab=640
    ).with_blocks((block,))
    found = {op.name: op for op in ops_on(toy, 4, batch=3)}
    shape = found["attention_linear"].shape
    assert isinstance(shape, Gemm)
    assert (shape.n, shape.k) == (256, 64)
    assert exchanged(tuple(found.values()))["attn_all_reduce"] == (3 * 256 * 2, 1)


def test_a_parallel_block_adds_up_once() -> None:
    model = transformer_from_sizes(hidden=256, layers=2, num_heads=8, num_kv_heads=8, width=512, vocab=640)
    parallel = model.with_blocks(tuple(replace(block, parallel=True) for block in model.blocks))
    assert [name for name in exchanged(ops_on(parallel, 4)) if "all_reduce" in name] == [
        "embedding_all_reduce",
        "ffn_all_reduce",
    ]


def test_tokens_that_skip_are_not_exchanged() -> None:
    model = prune(LLAMA_70B, "dynamic-m", 0.5, execution="gather").transformer
    found = exchanged(ops_on(model, 8, Phase.PREFILL, batch=1, context=4096))
    assert found["ffn_all_reduce"][0] == pytest.approx(4096 / 2 * HIDDEN * 2)


def test_a_vocabulary_is_padded_before_it_is_split() -> None:
    model = transformer_from_sizes(hidden=256, layers=1, num_heads=8, num_kv_heads=8, width=512, vocab=50257)
    # To 50304, the next multiple of 64; an eighth of that.
    assert gpu_share(model, on(8)).vocab == 6288


def test_memory_is_that_of_one_gpu_but_for_the_stream_and_all_logits() -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=64, context=4096, execution=on(8))
    alone = memory_use(LLAMA_70B, replace(scenario, execution=on(1)))
    shared = memory_use(gpu_share(LLAMA_70B, on(8)), scenario)
    norms = LAYERS * 2 * HIDDEN + HIDDEN
    assert 8 * shared.weights_bytes == alone.weights_bytes + 7 * norms * 2
    np.testing.assert_allclose(8 * shared.kv_cache_bytes, alone.kv_cache_bytes)
    logits = 64 * VOCAB * (2 + 4)
    assert float(shared.activations_bytes) == 64 * 2 * HIDDEN * 2 + logits
