"""Every family's effect on M, N and K of every GEMM of Llama-3.1-8B, re-derived by hand.

Dense, for 1024 tokens: q and o 4096 x 4096, k and v 1024 x 4096, gate and up 14336 x 4096, down
4096 x 14336 (N x K), LM head 128256 x 4096 for the last token.
"""

from __future__ import annotations

import pytest

from infersim.cost.gemm.group_skip import GroupGemm
from infersim.cost.gemm.unstructured import UnstructuredGemm
from infersim.domain.shapes import Gemm, WeightForm
from infersim.pruning.composition import prune
from infersim.workload.transformer import Transformer
from tests.pruning.looking import attention_of, gemms, ops_of

M = 1024
DENSE_SEPARATE = {
    "q": (M, 4096, 4096),
    "k": (M, 1024, 4096),
    "v": (M, 1024, 4096),
    "o": (M, 4096, 4096),
    "gate": (M, 14336, 4096),
    "up": (M, 14336, 4096),
    "down": (M, 4096, 14336),
    "lm_head": (1, 128256, 4096),
}
DENSE_FUSED = {
    "qkv": (M, 6144, 4096),
    "o": (M, 4096, 4096),
    "gate_up": (M, 28672, 4096),
    "down": (M, 4096, 14336),
    "lm_head": (1, 128256, 4096),
}


def test_dense_shapes_are_the_starting_point(llama: Transformer) -> None:
    assert gemms(llama, layout="separate") == DENSE_SEPARATE
    assert gemms(llama, layout="fused") == DENSE_FUSED


def test_static_m_runs_half_as_many_of_the_same_gemms(llama: Transformer) -> None:
    plan = prune(llama, "static-m", 0.5)
    assert gemms(plan, layout="separate") == DENSE_SEPARATE
    ops = ops_of(plan, 1, M, phase="prefill", layout="separate")
    assert {name: ops[name].count for name in ("q", "down", "attention", "attn_norm")} == {
        "q": 16,
        "down": 16,
        "attention": 16,
        "attn_norm": 16,
    }
    assert ops["lm_head"].count == 1


@pytest.mark.parametrize(("target", "gone", "stays"), [("attention", "o", "down"), ("ffn", "down", "o")])
def test_static_m_of_one_sublayer_leaves_the_other(
    llama: Transformer, target: str, gone: str, stays: str
) -> None:
    plan = prune(llama, "static-m", 0.25, target=target)
    kept = [block for block in plan.transformer.blocks if block.attention and block.ffn]
    assert (len(plan.transformer.blocks), len(kept)) == (32, 24)
    stripped = prune(llama.with_blocks(llama.blocks[:1] * 2), "static-m", 0.5, target=target)
    bare = stripped.transformer.with_blocks(stripped.transformer.blocks[:1])
    assert gone not in gemms(bare, layout="fused")
    assert gemms(bare, layout="fused")[stays] == DENSE_FUSED[stays]


def test_2_4_changes_the_form_and_no_shape(llama: Transformer) -> None:
    plan = prune(llama, "static-k-2:4")
    assert gemms(plan, layout="fused") == DENSE_FUSED
    ops = ops_of(plan, 1, M, phase="prefill", layout="fused")
    forms = {name: op.shape.weights for name, op in ops.items() if isinstance(op.shape, Gemm)}
    sparse = dict.fromkeys(("qkv", "o", "gate_up", "down"), WeightForm.SPARSE_2_4)
    assert forms == sparse | {"lm_head": WeightForm.DENSE}


# 50 %: r = N K / (N + K) / 2: q, o 1024; k, v 409.6, 26 x 16 = 416; gate, up, down 1592.9, 100 x 16 = 1600.
LOW_RANK_HALF = {
    "q.a": (M, 1024, 4096),
    "q.b": (M, 4096, 1024),
    "k.a": (M, 416, 4096),
    "k.b": (M, 1024, 416),
    "v.a": (M, 416, 4096),
    "v.b": (M, 1024, 416),
    "o.a": (M, 1024, 4096),
    "o.b": (M, 4096, 1024),
    "gate.a": (M, 1600, 4096),
    "gate.b": (M, 14336, 1600),
    "up.a": (M, 1600, 4096),
    "up.b": (M, 14336, 1600),
    "down.a": (M, 1600, 14336),
    "down.b": (M, 4096, 1600),
    "lm_head": (1, 128256, 4096),
}


def test_low_rank_turns_each_gemm_into_two(llama: Transformer) -> None:
    plan = prune(llama, "static-k-lowrank", 0.5)
    assert gemms(plan, layout="separate") == LOW_RANK_HALF


def test_low_rank_fused_stacks_only_the_first_factors(llama: Transformer) -> None:
    fused = gemms(prune(llama, "static-k-lowrank", 0.5), layout="fused")
    assert fused["qkv.a"] == (M, 1024 + 416 + 416, 4096)
    assert fused["gate_up.a"] == (M, 3200, 4096)
    second = ("q.b", "k.b", "v.b", "gate.b", "up.b", "o.a", "o.b", "down.a", "down.b")
    assert {name: fused[name] for name in second} == {name: LOW_RANK_HALF[name] for name in second}


def test_static_nk_cuts_n_of_one_gemm_and_k_of_the_next(llama: Transformer) -> None:
    # A quarter: 6 of 8 KV heads with 24 query heads, FFN 10752.
    plan = prune(llama, "static-nk", 0.25)
    assert gemms(plan, layout="separate") == {
        "q": (M, 3072, 4096),
        "k": (M, 768, 4096),
        "v": (M, 768, 4096),
        "o": (M, 4096, 3072),
        "gate": (M, 10752, 4096),
        "up": (M, 10752, 4096),
        "down": (M, 4096, 10752),
        "lm_head": (1, 128256, 4096),
    }
    shape = attention_of(plan)
    assert (shape.num_heads, shape.num_kv_heads, shape.head_dim) == (24, 6, 128)


def test_static_nk_ffn_absorbs_what_whole_heads_leave(llama: Transformer) -> None:
    # 20 %: 1.6 of 8 KV heads round to 2, so attention loses 25 % of its 41,943,040 parameters, 2,097,152 more
    # than a fifth. FFN keeps 0.8 x 176,160,768 + 2,097,152 = 143,025,766 of 12,288 a column: 11639.5 columns,
    # 181.9 x 64, so 182 x 64 = 11648.
    shapes = gemms(prune(llama, "static-nk", 0.2), layout="separate")
    assert shapes["k"] == (M, 768, 4096)
    assert shapes["down"] == (M, 4096, 11648)


def test_static_nk_keeping_kv_heads_leaves_k_v_and_the_cache(llama: Transformer) -> None:
    # Half of the 4 query heads a group: q and o halve and attention loses 16,777,216 of 41,943,040, which is
    # 4,194,304 too few. FFN keeps 88,080,384 - 4,194,304 = 83,886,080 of 12,288 a column: 6826.7, 107 x 64.
    plan = prune(llama, "static-nk", 0.5, kv_heads="keep")
    shapes = gemms(plan, layout="separate")
    assert [shapes[name] for name in "qkvo"] == [
        (M, 2048, 4096),
        (M, 1024, 4096),
        (M, 1024, 4096),
        (M, 4096, 2048),
    ]
    assert shapes["up"] == (M, 6848, 4096)
    shape = attention_of(plan)
    assert (shape.num_heads, shape.num_kv_heads) == (16, 8)


def test_cross_layer_cuts_the_hidden_side_of_every_gemm(llama: Transformer) -> None:
    # 30 %: 2867.2 is 44.8 x 64, so 45 x 64 = 2880.
    plan = prune(llama, "static-nk-cross", 0.3)
    assert gemms(plan, layout="separate") == {
        "q": (M, 4096, 2880),
        "k": (M, 1024, 2880),
        "v": (M, 1024, 2880),
        "o": (M, 2880, 4096),
        "attn_residual_map": (M, 2880, 2880),
        "gate": (M, 14336, 2880),
        "up": (M, 14336, 2880),
        "down": (M, 2880, 14336),
        "ffn_residual_map": (M, 2880, 2880),
        "lm_head": (1, 128256, 2880),
    }
    assert plan.transformer.hidden == 2880
    assert attention_of(plan) == attention_of(llama)


def test_dynamic_m_cuts_m_but_of_k_and_v(llama: Transformer) -> None:
    plan = prune(llama, "dynamic-m", 0.5)
    assert gemms(plan, layout="separate") == {
        "attn_router.a": (M, 16, 4096),
        "attn_router.b": (M, 2, 16),
        "q": (512, 4096, 4096),
        "k": (M, 1024, 4096),
        "v": (M, 1024, 4096),
        "o": (512, 4096, 4096),
        "ffn_router.a": (M, 16, 4096),
        "ffn_router.b": (M, 2, 16),
        "gate": (512, 14336, 4096),
        "up": (512, 14336, 4096),
        "down": (512, 4096, 14336),
        "lm_head": (1, 128256, 4096),
    }
    assert attention_of(plan).kept == 0.5


def test_dynamic_m_without_dense_kv_cuts_k_and_v_too(llama: Transformer) -> None:
    plan = prune(llama, "dynamic-m", 0.25, dense_kv=False)
    shapes = gemms(plan, layout="fused")
    assert (shapes["qkv"], shapes["gate_up"]) == ((768, 6144, 4096), (768, 28672, 4096))
    assert attention_of(plan).context_len == 768


def test_dynamic_m_in_decode_reads_weights_if_any_token_is_kept(llama: Transformer) -> None:
    ops = ops_of(prune(llama, "dynamic-m", 0.5), 8, 1024, phase="decode", layout="separate")
    assert float(ops["gate"].count) == pytest.approx(32 * (1 - 0.5**8))
    assert float(ops["k"].count) == 32


def test_dynamic_nk_leaves_every_weight_gemm_alone(llama: Transformer) -> None:
    plan = prune(llama, "dynamic-nk", 0.75)
    assert gemms(plan, layout="fused") == DENSE_FUSED
    shape = attention_of(plan)
    assert (shape.kept, shape.block) == (0.25, 64)
    ops = ops_of(plan, 1, M, phase="prefill", layout="fused")
    assert "mask_estimation" in ops


def test_kv_pruning_shortens_decode_attention_only(llama: Transformer) -> None:
    plan = prune(llama, "kv-pruning", 0.75)
    assert gemms(plan, layout="fused") == DENSE_FUSED
    assert attention_of(plan, phase="prefill") == attention_of(llama, phase="prefill")
    shape = attention_of(plan, context=4096, phase="decode")
    assert float(shape.context_len) == 1024


def test_dynamic_mnk_cuts_groups_and_no_plain_gemm_but_k_and_v_is_left(llama: Transformer) -> None:
    plan = prune(llama, "dynamic-mnk", 0.5)
    # 8 groups of 4 heads, 112 groups of 128 channels; two classes each.
    assert gemms(plan, layout="separate") == {
        "attn_router.a": (M, 32, 4096),
        "attn_router.b": (M, 16, 32),
        "k": (M, 1024, 4096),
        "v": (M, 1024, 4096),
        "ffn_router.a": (M, 32, 4096),
        "ffn_router.b": (M, 224, 32),
        "lm_head": (1, 128256, 4096),
    }
    ops = ops_of(plan, 1, M, phase="prefill", layout="separate")
    grouped = {
        name: (float(shape.m), shape.n, shape.k, shape.group)
        for name, op in ops.items()
        if isinstance(shape := op.shape, GroupGemm)
    }
    assert grouped == {
        "q": (M, 4096, 4096, 512),
        "o": (M, 4096, 4096, 512),
        "gate": (M, 14336, 4096, 128),
        "up": (M, 14336, 4096, 128),
        "down": (M, 4096, 14336, 128),
    }
    assert attention_of(plan).kept == 0.5


def test_unstructured_changes_no_shape(llama: Transformer) -> None:
    plan = prune(llama, "unstructured", 0.75, target="ffn", kernel="cusparse")
    assert gemms(plan, layout="fused") == {name: DENSE_FUSED[name] for name in ("qkv", "o", "lm_head")}
    ops = ops_of(plan, 1, M, phase="prefill", layout="fused")
    sparse = {
        name: (float(shape.m), shape.n, shape.k, shape.density, shape.kernel)
        for name, op in ops.items()
        if isinstance(shape := op.shape, UnstructuredGemm)
    }
    assert sparse == {
        "gate_up": (M, 28672, 4096, 0.25, "cusparse"),
        "down": (M, 4096, 14336, 0.25, "cusparse"),
    }


def test_a_forecaster_adds_two_gemms_a_sublayer(llama: Transformer) -> None:
    dense, plan = (prune(llama, "dynamic-m", 0.5, forecaster=rank) for rank in (0, 100))
    added = gemms(plan, layout="fused").items() - gemms(dense, layout="fused").items()
    assert dict(added) == {
        f"{sublayer}_forecast.{factor}": shape
        for sublayer in ("attn", "ffn")
        for factor, shape in (("a", (M, 100, 4096)), ("b", (M, 4096, 100)))
    }


def test_an_early_exit_cuts_m_layer_by_layer(llama: Transformer) -> None:
    blocks = prune(llama, "dynamic-m", 0.5, early_exit=True).transformer.blocks
    # Exits lie evenly: before layer l of 32, (l + 1/2) / 32 of the tokens have left.
    first, last = (gemms(llama.with_blocks((blocks[at],)), layout="separate") for at in (0, 31))
    assert (first["q"][0], first["k"][0], first["down"][0]) == pytest.approx((1008, M, 1008))
    assert (last["q"][0], last["k"][0], last["down"][0]) == pytest.approx((16, M, 16))
    assert "attn_router.a" in first
    assert "ffn_router.a" not in first
