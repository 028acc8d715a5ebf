"""Transformers built from their sizes."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import InvalidValueError
from infersim.workload.sizes import grouped_query_attention, swiglu, transformer_from_sizes
from infersim.workload.transformer import Linear
from tests.workload.examples import sublayers

SIZES: dict[str, Any] = {
    "hidden": 256,
    "layers": 2,
    "num_heads": 8,
    "num_kv_heads": 2,
    "width": 512,
    "vocab": 1000,
}


def test_shapes() -> None:
    attention = grouped_query_attention(
        hidden=256, num_heads=8, num_kv_heads=2, head_dim=64, qkv_bias=True, o_bias=False
    )
    assert attention.q == Linear(out_features=512, in_features=256, bias=True)
    assert attention.k == attention.v == Linear(out_features=128, in_features=256, bias=True)
    assert attention.o == Linear(out_features=256, in_features=512)
    ffn = swiglu(hidden=256, width=512, bias=True)
    assert ffn.gate == ffn.up == Linear(out_features=512, in_features=256, bias=True)
    assert ffn.down == Linear(out_features=256, in_features=512, bias=True)


def test_head_dim_follows_from_hidden_and_heads() -> None:
    assert sublayers(transformer_from_sizes(**SIZES))[0].head_dim == 32
    assert sublayers(transformer_from_sizes(**SIZES, head_dim=100))[0].q.out_features == 800


def test_blocks_are_one_group() -> None:
    ((_, times),) = transformer_from_sizes(**SIZES).grouped_blocks()
    assert times == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("hidden", 0), ("layers", -1), ("num_heads", 0), ("width", 0), ("vocab", 0), ("num_kv_heads", 3),
     ("num_kv_heads", 0), ("hidden", 255)],
)  # fmt: skip
def test_impossible_sizes_are_refused(key: str, value: int) -> None:
    with pytest.raises(InvalidValueError, match=f"{key} = {value}"):
        transformer_from_sizes(**(SIZES | {key: value}))
