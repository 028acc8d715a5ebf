"""Layers of experts and latent attention: parameters, bytes and ops derived by hand from published sizes."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.domain import shapes
from infersim.domain.dtypes import PRECISIONS
from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Experts, Gemm, Phase
from infersim.pruning.composition import prune
from infersim.workload.counts import active_parameters, parameters_by_part, weight_bytes
from infersim.workload.memory import kv_cache_bytes, peak_activation_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.sizes import expert_layer, grouped_query_attention, latent_attention
from infersim.workload.transformer import Block, Transformer

HIDDEN, LAYERS = 64, 3


def of_experts(**options: int | bool) -> Transformer:
    """Eight experts of width 32, two a token."""
    attention = grouped_query_attention(hidden=HIDDEN, num_heads=4, num_kv_heads=2, head_dim=16)
    sizes = {"hidden": HIDDEN, "width": 32, "num_experts": 8, "top_k": 2, **options}
    return transformer(Block(attention=attention, ffn=expert_layer(**sizes)))  # type: ignore[arg-type]


def of_latents(q_lora_rank: int | None = 24) -> Transformer:
    """Four heads of 16 + 8 channels for K and 16 for V, from a latent vector of 32."""
    attention = latent_attention(
        hidden=HIDDEN,
        num_heads=4,
        q_lora_rank=q_lora_rank,
        kv_lora_rank=32,
        qk_nope_head_dim=16,
        qk_rope_head_dim=8,
        v_head_dim=16,
    )
    return transformer(Block(attention=attention, ffn=None))


def transformer(block: Block) -> Transformer:
    return Transformer(
        name="toy",
        hidden=HIDDEN,
        vocab=100,
        tied_embeddings=True,
        max_position=512,
        blocks=(block,) * LAYERS,
    )


def named(model: Transformer, phase: Phase, batch: int, context: int) -> dict[str, Op]:
    ops = model_ops(model, Scenario(phase=phase, batch=batch, context=context))
    return {op.name: op for op in ops}


def test_all_experts_are_stored_and_some_are_active() -> None:
    biases = {"bias": True, "shared_bias": True, "router_bias": True}
    model = of_experts(shared_width=48, shared_gate=True, correction=True, **biases)
    expert = 3 * HIDDEN * 32 + 2 * 32 + HIDDEN
    shared = 3 * HIDDEN * 48 + 2 * 48 + HIDDEN + HIDDEN
    router = 8 * HIDDEN + 8 + 8
    parts = parameters_by_part(model)
    assert parts["ffn"] == LAYERS * (8 * expert + shared + router)
    assert active_parameters(model) == sum(parts.values()) - LAYERS * 6 * expert


def test_the_router_stays_in_sixteen_bit() -> None:
    model = of_experts()
    wide = weight_bytes(model, Execution())
    narrow = weight_bytes(model, Execution(precision=PRECISIONS["fp8"]))
    attention = HIDDEN * (64 + 2 * 32) + 64 * HIDDEN
    assert wide - narrow == LAYERS * (8 * 3 * HIDDEN * 32 + attention)


def test_experts_are_one_op_between_router_and_residual() -> None:
    ops = named(of_experts(shared_width=48), Phase.DECODE, 16, 100)
    routed = ops["experts"].shape
    assert isinstance(routed, Experts)
    assert (routed.tokens, routed.hidden, routed.width) == (16, HIDDEN, 32)
    assert (routed.num_experts, routed.local_experts, routed.top_k, routed.gated) == (8, 8, 2, True)
    router, up = ops["router"].shape, ops["shared_gate_up"].shape
    assert isinstance(router, Gemm)
    assert isinstance(up, Gemm)
    assert (router.m, router.n, router.k) == (16, 8, HIDDEN)
    assert (up.n, up.k) == (2 * 48, HIDDEN)
    assert {ops[name].part for name in ("router", "experts", "shared_down")} == {Part.FFN}
    assert ops["top_k"].part is ops["shared_add"].part is Part.ELEMENTWISE
    assert not [op for op in ops.values() if op.part is Part.EXTRA]


@pytest.mark.parametrize(("key", "value"), [("top_k", 9), ("top_k", 0), ("num_experts", 0)])
def test_counts_that_cannot_be_are_refused(key: str, value: int) -> None:
    with pytest.raises(InvalidValueError, match=key):
        of_experts(**{key: value})


def test_activations_grow_with_the_experts_of_a_token() -> None:
    peaks = [
        float(peak_activation_bytes(of_experts(top_k=k), Scenario(phase=Phase.PREFILL, batch=1, context=512)))
        for k in (2, 4)
    ]
    # 2 more experts of a product of 32 and a result of 64 values, or of three widths of 32.
    assert peaks[1] - peaks[0] == 512 * 2 * 96 * 2


@pytest.mark.parametrize("rank", [24, None])
def test_latent_parameters(rank: int | None) -> None:
    queries = 4 * 24 * HIDDEN if rank is None else 24 * HIDDEN + 4 * 24 * 24
    attention = queries + (32 + 8) * HIDDEN + 4 * (16 + 16) * 32 + HIDDEN * 4 * 16
    parts = parameters_by_part(of_latents(rank))
    assert parts["attention"] == LAYERS * attention
    assert parts["norms"] == LAYERS * (HIDDEN + 32 + (rank or 0)) + HIDDEN


def test_the_cache_holds_one_vector_a_token() -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=3, context=100)
    assert kv_cache_bytes(of_latents(), scenario) == LAYERS * 3 * 100 * (32 + 8) * 2


def test_prefill_expands_and_decode_absorbs() -> None:
    prefill, decode = (named(of_latents(), phase, 2, 50) for phase in (Phase.PREFILL, Phase.DECODE))
    expanded, absorbed = prefill["attention"].shape, decode["attention"].shape
    assert isinstance(expanded, shapes.Attention)
    assert isinstance(absorbed, shapes.Attention)
    assert (expanded.num_kv_heads, expanded.head_dim, expanded.value_dim) == (4, 24, 16)
    assert (absorbed.num_kv_heads, absorbed.head_dim, absorbed.value_dim) == (1, 40, 32)
    assert absorbed.shared_kv
    assert not {"q_absorbed", "v_absorbed"} & set(prefill)
    assert "kv_b" not in decode


def test_absorbing_moves_the_weights_of_kv_b_whole() -> None:
    decode = named(of_latents(), Phase.DECODE, 2, 50)
    into, out = decode["q_absorbed"].shape, decode["v_absorbed"].shape
    assert isinstance(into, Gemm)
    assert isinstance(out, Gemm)
    assert into.n * into.k + out.n * out.k == 4 * (16 + 16) * 32
    # For each of 4 heads: a query of 16 times 16 x 32, a result of 32 times 32 x 16.
    assert 2 * into.m * (into.n * into.k + out.n * out.k) == 2 * 2 * 4 * (16 * 32 + 32 * 16)


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        ("kv-pruning", {}, "latent"),
        ("dynamic-nk", {}, "latent"),
        ("dynamic-m", {"target": "attention"}, "latent"),
        ("static-k-lowrank", {}, "latent"),
    ],
)
def test_families_of_attention_refuse_latents(family: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        prune(of_latents(), family, 0.5, **options)


@pytest.mark.parametrize("family", ["static-k-lowrank", "static-k-2:4"])
def test_families_of_matrices_leave_experts_alone_or_refuse(family: str) -> None:
    with pytest.raises(UnsupportedError, match="experts"):
        prune(of_experts(), family, 0.5)
    only_attention = prune(of_experts(), family, 0.5, target="attention")
    assert only_attention.transformer.blocks[0].ffn == of_experts().blocks[0].ffn


def test_depth_and_hidden_size_shrink_models_of_experts() -> None:
    model = of_experts(shared_width=48)
    shallower = prune(model, "static-m", 1 / 3).transformer
    assert len(shallower.blocks) == LAYERS - 1
    thinner = prune(model, "static-nk-cross", 0.5, align=8, residual_maps=0).transformer
    assert parameters_by_part(thinner)["ffn"] * 2 == parameters_by_part(model)["ffn"]


def test_skipped_tokens_skip_their_experts() -> None:
    plan = prune(of_experts(), "dynamic-m", 0.5, target="ffn", execution="gather")
    ops = named(plan.transformer, Phase.PREFILL, 1, 64)
    routed = ops["experts"].shape
    assert isinstance(routed, Experts)
    assert np.isclose(float(np.asarray(routed.tokens)), 32)
