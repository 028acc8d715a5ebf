"""`moe_latency`: arrays in and arrays out, shares among GPUs, routing, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError

GPU = "h100-sxm"
LAYER: dict[str, Any] = {
    "tokens": 64,
    "hidden_size": 4096,
    "ffn_width": 1536,
    "num_experts": 128,
    "top_k": 8,
}
"""A layer of Qwen3-235B-A22B."""


def us(**changed: Any) -> Any:
    return sim.moe_latency(GPU, **{**LAYER, **changed}).latency_s * 1e6


def test_dimensions_broadcast() -> None:
    found = sim.moe_latency(GPU, **{**LAYER, "tokens": [1, 64, 4096], "top_k": [[4], [8]]})
    assert found.latency_s.shape == (2, 3)
    assert (np.diff(found.latency_s, axis=1) > 0).all()
    assert (found.floor_s <= found.lower_s).all()
    assert (found.lower_s < found.latency_s).all()
    assert (found.latency_s < found.upper_s).all()
    assert set(found.parts) == {"kernel", "launch"}


def test_the_floor_of_a_cold_layer_is_its_weights() -> None:
    # 64 tokens dealt to 128 experts hit all: 128 x 3 x 4096 x 1536 values of 2 bytes at 3.35 TB/s: 1.44 ms.
    found = sim.moe_latency(GPU, **LAYER, weight_copies=None)
    assert found.floor_s * 1e3 == pytest.approx(1.4424, rel=0.01)


def test_tensor_and_expert_parallel_share_the_work() -> None:
    whole = us(tokens=4096)
    for share in ({"tensor_parallel": 4}, {"expert_parallel": 4}):
        assert whole / 5 < us(tokens=4096, **share) < whole / 2


def test_random_tokens_hit_fewer_experts_than_dealt_ones() -> None:
    assert us(tokens=8, routing="random") < us(tokens=8, routing="balanced")
    assert us(tokens=4096, routing="power_law_1.2") > us(tokens=4096)


def test_experts_without_a_gate_take_less() -> None:
    assert us(gated=False) < us()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"top_k": 129}, "top_k"),
        ({"expert_parallel": 3}, "expert_parallel"),
        ({"tensor_parallel": 5}, "tensor_parallel"),
        ({"routing": "even"}, "routing"),
        ({"dtype": "fp7"}, "dtype"),
        ({"tokens": 0}, "tokens"),
        ({"gated": "yes"}, "gated"),
    ],
)
def test_layers_that_cannot_be_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(InfersimError, match=named):
        us(**changed)
