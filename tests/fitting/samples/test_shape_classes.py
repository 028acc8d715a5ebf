"""Shape classes at their borders."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.fitting.samples.shapes import (
    attention_context,
    attention_grouping,
    gemm_alignment,
    gemm_size,
    gemm_tokens,
    shape_classes,
)
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, table


def test_tokens_change_class_after_16_and_at_1024() -> None:
    assert gemm_tokens(np.array([1, 16, 17, 1023, 1024])).tolist() == [
        "decode",
        "decode",
        "mid",
        "mid",
        "prefill",
    ]


def test_weights_are_large_from_2048_by_2048_on_without_overflow() -> None:
    assert gemm_size(np.array([2048, 2048, 2**20]), np.array([2047, 2048, 2**20])).tolist() == [
        "small",
        "large",
        "large",
    ]


@pytest.mark.parametrize(
    ("n", "k", "alignment"),
    [
        (64, 128, "aligned"),
        (72, 128, "part-aligned"),
        (128, 72, "part-aligned"),
        (68, 128, "misaligned"),
        (128, 1, "misaligned"),
    ],
)
def test_alignment_needs_both_n_and_k(n: int, k: int, alignment: str) -> None:
    assert gemm_alignment(n, k).item() == alignment


def test_attention_is_long_from_4096_and_grouped_where_heads_share() -> None:
    assert attention_context(np.array([4095, 4096])).tolist() == ["short", "long"]
    assert attention_grouping(np.array([8, 8, 8]), np.array([8, 4, 1])).tolist() == [
        "multi-head",
        "grouped",
        "grouped",
    ]


def test_every_kind_is_divided_by_its_own_classes() -> None:
    assert {name: texts.tolist() for name, texts in shape_classes(table(GEMM), "gemm").items()} == {
        "tokens": ["decode"],
        "size": ["large"],
        "alignment": ["aligned"],
    }
    assert {name: texts.tolist() for name, texts in shape_classes(table(ATTENTION), "attention").items()} == {
        "phase": ["decode"],
        "context": ["long"],
        "grouping": ["grouped"],
    }
    assert shape_classes(table(MEMORY), "memory")["size"].tolist() == ["large"]
    assert shape_classes(table(LAUNCH), "launch") == {}
