"""Padding a width: every matrix that has it grows, no other does, and the count of values follows."""

from __future__ import annotations

import pytest

from infersim.pruning.composition import prune
from infersim.pruning.padding import Dimension, Width, padded, widths
from infersim.workload.counts import parameters
from infersim.workload.presets import load_model

MODEL = load_model("llama-3.1-8b")
LAYERS, HIDDEN, FFN, VOCAB, KV = 32, 4096, 14336, 128256, 1024


def test_widths_are_those_that_zeros_can_fill() -> None:
    assert {(width.dimension, width.value) for width in widths(MODEL)} == {
        (Dimension.VOCABULARY, VOCAB),
        (Dimension.HIDDEN, HIDDEN),
        (Dimension.FFN, FFN),
    }
    ranks = {
        width.value
        for width in widths(prune(MODEL, "static-k-lowrank", 0.5).transformer)
        if width.dimension is Dimension.RANK
    }
    assert len(ranks) > 1


@pytest.mark.parametrize(
    ("dimension", "value", "added_by_one"),
    [
        (Dimension.VOCABULARY, VOCAB, 2 * HIDDEN),  # a row of the table and one of the head
        (Dimension.FFN, FFN, LAYERS * 3 * HIDDEN),
        # q, o: 4096 each, k, v: 1024 each, three of the FFN: 14336; two norms a layer, one at the end
        (Dimension.HIDDEN, HIDDEN, LAYERS * (2 * HIDDEN + 2 * KV + 3 * FFN + 2) + 2 * VOCAB + 1),
    ],
)
def test_every_matrix_with_the_width_grows(dimension: Dimension, value: int, added_by_one: int) -> None:
    wider = padded(MODEL, Width(dimension=dimension, value=value), value + 7)
    assert parameters(wider) - parameters(MODEL) == 7 * added_by_one


def test_a_rank_grows_in_the_matrices_that_have_it() -> None:
    low = prune(MODEL, "static-k-lowrank", 0.5).transformer
    rank = low.blocks[0].linears[0].rank
    assert rank is not None
    wider = padded(low, Width(dimension=Dimension.RANK, value=rank), rank + 1)
    same = sum(n.out_features + n.in_features for b in low.blocks for n in b.linears if n.rank == rank)
    assert parameters(wider) - parameters(low) == same


def test_blocks_of_another_width_are_left_alone() -> None:
    blocks = (*MODEL.blocks[:-1], padded(MODEL, Width(dimension=Dimension.FFN, value=FFN), 9000).blocks[-1])
    mixed = MODEL.with_blocks(blocks)
    wider = padded(mixed, Width(dimension=Dimension.FFN, value=9000), 9024)
    assert parameters(wider) - parameters(mixed) == 24 * 3 * HIDDEN
