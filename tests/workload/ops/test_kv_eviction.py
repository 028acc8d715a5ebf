"""What it costs to choose the cached tokens that stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.domain.ops import Part
from infersim.workload.transformer import KvScore, Transformer
from tests.workload.examples import (
    HEAD_DIM,
    HEADS,
    KV_HEADS,
    LAYERS,
    attention,
    decode,
    moved,
    ops_by_name,
    prefill,
    small,
    sublayers,
    with_block,
)


def scored(score: KvScore, kept: float = 0.25) -> Transformer:
    heads, _ = sublayers(small())
    return with_block(small(), attention=replace(heads, kv_kept=kept, kv_score=score))


def test_positions_cost_nothing_and_votes_nothing_in_decode() -> None:
    for scenario in (prefill(2, 1000), decode(2, 1000)):
        assert not {"kv_vote", "kv_score"} & set(ops_by_name(scored(KvScore.POSITION), scenario))
    assert "kv_vote" not in ops_by_name(scored(KvScore.WINDOW), decode(2, 1000))
    assert "kv_score" not in ops_by_name(scored(KvScore.ACCUMULATED, kept=1.0), decode(2, 1000))


def test_votes_of_the_last_queries_by_hand() -> None:
    op = ops_by_name(scored(KvScore.WINDOW), prefill(2, 1000))["kv_vote"]
    # Keys once; a vote a query head, written and read twice; a quarter of K and of V copied.
    keys, votes = 2000 * KV_HEADS * HEAD_DIM * 2, 2000 * HEADS * 2
    assert moved(op).read_bytes == keys + 2 * votes + 2 * keys / 4
    assert moved(op).write_bytes == 2 * votes + 2 * keys / 4
    assert (op.part, op.count, moved(op).kernels) == (Part.EXTRA, LAYERS, 5)


def test_sums_of_weights_take_a_second_look_in_prefill() -> None:
    ops = ops_by_name(scored(KvScore.ACCUMULATED), prefill(2, 1000))
    second = attention(ops["kv_score"])
    assert second.kept == pytest.approx(0.5)  # Q K^T without the product with V
    assert second.generated
    assert replace(second, kept=1.0, generated=False) == ops["attention"].shape


def test_sums_of_weights_are_kept_in_decode() -> None:
    op = ops_by_name(scored(KvScore.ACCUMULATED), decode(2, np.array([1000, 2000])))["kv_score"]
    weights, sums = 500 * HEADS * 2, 500 * KV_HEADS * 4  # a quarter of two contexts of 1000
    shape = moved(op)
    assert np.asarray(shape.read_bytes) == pytest.approx(np.array([1, 2]) * (weights + 2 * sums))
    assert np.asarray(shape.compulsory_bytes) == pytest.approx(np.array([1, 2]) * sums)
    assert shape.kernels == 3
