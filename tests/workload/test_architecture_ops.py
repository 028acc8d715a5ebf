"""Ops of what other architectures have: norms, parallel blocks, positions, projections, scaled values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infersim.workload.counts import parameters_by_part
from infersim.workload.ends import Embedding, Head
from infersim.workload.memory import memory_use
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Layout
from infersim.workload.sublayers.activations import Activation
from infersim.workload.sublayers.norms import LAYER_NORM, RMS_NORM, Norm, NormKind, QkNorm
from infersim.workload.transformer import FeedForward, Transformer
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    VOCAB,
    WIDTH,
    decode,
    mnk,
    moved,
    ops_by_name,
    prefill,
    small,
    sublayers,
    with_block,
)

TOKENS = 2 * 100
SIXTEEN_BIT = 2


def values(model: Transformer, name: str, layout: Layout = Layout.FUSED) -> tuple[float, float, int]:
    """Values that the op reads and writes a token, and its kernels."""
    shape = moved(ops_by_name(model, prefill(2, 100, layout))[name])
    per_token = SIXTEEN_BIT * TOKENS
    return float(shape.read_bytes) / per_token, float(shape.write_bytes) / per_token, shape.kernels


def names(model: Transformer, layout: Layout = Layout.FUSED) -> set[str]:
    return set(ops_by_name(model, prefill(2, 100, layout)))


def changed(
    attention: dict[str, Any] | None = None, ffn: dict[str, Any] | None = None, **block: Any
) -> Transformer:
    """`small` with changed sublayers."""
    heads, feed_forward = sublayers(small())
    return with_block(
        small(),
        attention=replace(heads, **(attention or {})),
        ffn=replace(feed_forward, **(ffn or {})),
        **block,
    )


def test_a_norm_counts_by_its_kind() -> None:
    assert RMS_NORM.values(10) == 10
    assert LAYER_NORM.values(10) == 20
    assert Norm(kind=NormKind.LAYER, scale=False).values(10) == 0
    model = changed({"norm": LAYER_NORM, "post_norm": RMS_NORM}, {"norm": None, "post_norm": RMS_NORM})
    assert parameters_by_part(model)["norms"] == 3 * (2 + 1 + 1) * HIDDEN + HIDDEN
    assert parameters_by_part(replace(model, final_norm=None))["norms"] == 3 * 4 * HIDDEN


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        (QkNorm(), 2 * HEAD_DIM),
        (QkNorm(norm=LAYER_NORM), 4 * HEAD_DIM),
        (QkNorm(every_feature=True), (HEADS + KV_HEADS) * HEAD_DIM),
    ],
)
def test_norms_of_q_and_k(norm: QkNorm, expected: int) -> None:
    plain = parameters_by_part(small())["norms"]
    assert parameters_by_part(changed({"qk_norm": norm}))["norms"] - plain == 3 * expected


def test_norms_before_and_after_a_sublayer() -> None:
    """The norm before also adds the residual; the one after reads and writes the result."""
    both = changed({"post_norm": RMS_NORM}, {"post_norm": RMS_NORM})
    assert values(both, "attn_norm") == values(both, "ffn_norm") == (2 * HIDDEN, 2 * HIDDEN, 1)
    assert values(both, "attn_post_norm") == values(both, "ffn_post_norm") == (HIDDEN, HIDDEN, 1)
    assert "attn_residual" not in names(both)


def test_norms_after_alone_leave_the_add_to_itself() -> None:
    after = changed({"norm": None, "post_norm": RMS_NORM}, {"norm": None, "post_norm": RMS_NORM})
    assert not names(after) & {"attn_norm", "ffn_norm"}
    assert values(after, "attn_post_norm") == (HIDDEN, HIDDEN, 1)
    assert values(after, "attn_residual") == (2 * HIDDEN, HIDDEN, 1)
    assert values(after, "attn_residual", Layout.SEPARATE) == (2 * HIDDEN, HIDDEN, 1)


def test_one_norm_of_a_parallel_block_adds_both_results() -> None:
    """It reads the stream and two results and writes the stream and its own."""
    parallel = changed(None, {"norm": None}, parallel=True)
    assert values(parallel, "attn_norm") == (3 * HIDDEN, 2 * HIDDEN, 1)
    assert not names(parallel) & {"ffn_norm", "ffn_residual"}
    apart = names(parallel, Layout.SEPARATE)
    assert {"attn_residual", "ffn_residual"} <= apart
    assert "ffn_norm" not in apart
    two = changed(parallel=True)
    assert values(two, "attn_norm") == values(two, "ffn_norm") == (2 * HIDDEN, 2 * HIDDEN, 1)


def test_attention_s_result_waits_in_a_parallel_block() -> None:
    more = (
        memory_use(changed(parallel=True), prefill(2, 100)).activations_bytes
        - memory_use(small(), prefill(2, 100)).activations_bytes
    )
    assert more == TOKENS * HIDDEN * SIXTEEN_BIT


def test_rotary_turns_a_share_of_each_head() -> None:
    query_and_key = (HEADS + KV_HEADS) * HEAD_DIM
    assert values(changed({"rotary": 0.25}), "rotary") == pytest.approx(
        (0.25 * (query_and_key + HEAD_DIM), 0.25 * query_and_key, 1)
    )
    reads, writes, kernels = values(changed({"rotary": 0.25}), "rotary", Layout.SEPARATE)
    whole = values(small(), "rotary", Layout.SEPARATE)
    # Both shares are put together again: q and k are read and written once more.
    assert (reads, writes) == pytest.approx(
        (0.25 * whole[0] + query_and_key, 0.25 * whole[1] + query_and_key)
    )
    assert kernels == whole[2] + 2
    assert "rotary" not in names(changed({"rotary": 0.0}))


@pytest.mark.parametrize(
    ("activation", "kernels"),
    [(Activation.SILU, 1), (Activation.GELU, 1), (Activation.RELU_SQUARED, 2), (Activation.GELU_BY_PARTS, 8)],
)
def test_activations_in_eager_code(activation: Activation, kernels: int) -> None:
    plain = changed(None, {"gate": None, "activation": activation})
    assert values(plain, "activation") == (WIDTH, WIDTH, 1)
    assert values(plain, "activation", Layout.SEPARATE) == (kernels * WIDTH, kernels * WIDTH, kernels)
    gated = changed(None, {"activation": activation})
    assert values(gated, "activation") == (2 * WIDTH, WIDTH, 1)
    expected = ((2 + kernels) * WIDTH, (1 + kernels) * WIDTH, 1 + kernels)
    assert values(gated, "activation", Layout.SEPARATE) == expected


def test_embeddings_of_their_own_width() -> None:
    """As OPT-350M's: a table and an LM head of 64, a matrix in and a matrix out."""
    model = replace(small(), embedding=Embedding(width=64, positions=130), tied_embeddings=True)
    ops = ops_by_name(model, prefill(2, 100))
    assert mnk(ops["project_in"]) == (TOKENS, HIDDEN, 64)
    assert mnk(ops["project_out"]) == (TOKENS, 64, HIDDEN)
    assert mnk(ops["lm_head"]) == (2, VOCAB, 64)
    parts = parameters_by_part(model)
    assert parts["embedding"] == VOCAB * 64 + 130 * HIDDEN + 2 * 64 * HIDDEN
    assert parts["head"] == 0


def test_learned_positions_and_a_norm_behind_the_embedding() -> None:
    model = replace(small(), embedding=Embedding(positions=130, norm=LAYER_NORM))
    assert values(model, "positions") == (2 * HIDDEN, HIDDEN, 1)
    assert values(model, "embedding_norm") == (HIDDEN, HIDDEN, 1)
    assert parameters_by_part(model)["norms"] - parameters_by_part(small())["norms"] == 2 * HIDDEN


def test_multipliers_are_kernels_in_eager_code_alone() -> None:
    model = replace(
        small(), embedding=Embedding(scaled=True), head=Head(kernels=3, bias=True), scaled_residuals=True
    )
    assert names(model) == names(small())
    assert values(model, "embedding_scale", Layout.SEPARATE) == (HIDDEN, HIDDEN, 1)
    assert values(model, "attn_residual", Layout.SEPARATE) == (3 * HIDDEN, 2 * HIDDEN, 2)
    logits = moved(ops_by_name(model, decode(5, 10, Layout.SEPARATE))["logits"])
    assert (logits.read_bytes, logits.kernels) == (3 * 5 * VOCAB * SIXTEEN_BIT, 3)
    assert parameters_by_part(model)["head"] == VOCAB * (HIDDEN + 1)


def test_names_stay_unique_whatever_a_model_has() -> None:
    model = replace(
        changed(
            {"post_norm": RMS_NORM, "qk_norm": QkNorm()}, {"gate": None, "post_norm": RMS_NORM}, parallel=True
        ),
        embedding=Embedding(width=64, positions=130, norm=LAYER_NORM, scaled=True),
        head=Head(labels=3, bias=True, kernels=1),
    )
    for layout in Layout:
        found = [op.name for op in model_ops(model, prefill(2, 100, layout))]
        assert len(found) == len(set(found))


def test_an_ungated_sublayer_has_two_matrices() -> None:
    ffn = changed(None, {"gate": None}).blocks[0].ffn
    assert isinstance(ffn, FeedForward)
    assert ffn.linears == (ffn.up, ffn.down)
