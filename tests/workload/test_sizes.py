"""Sublayers built from their sizes."""

from __future__ import annotations

import pytest

from infersim.domain.errors import InvalidValueError
from infersim.workload.sizes import grouped_query_attention, swiglu
from infersim.workload.transformer import Linear


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


@pytest.mark.parametrize("num_kv_heads", [3, 0])
def test_heads_that_do_not_divide_are_refused(num_kv_heads: int) -> None:
    with pytest.raises(InvalidValueError, match=f"num_kv_heads = {num_kv_heads}; expected a divisor"):
        grouped_query_attention(hidden=256, num_heads=8, num_kv_heads=num_kv_heads, head_dim=32)
