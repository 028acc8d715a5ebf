"""What does not divide by a number of GPUs, and which numbers would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import WeightForm
from infersim.workload.parallel.dividing import check_divides, dividing_counts, obstacle
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.sizes import expert_layer, grouped_query_attention
from infersim.workload.transformer import FeedForward, Linear, Transformer
from infersim.workload.weight_format import block_scaled_fp8, weight_only
from tests.pruning.expert_models import mixtral
from tests.toy_models import transformer_from_sizes
from tests.workload.parallel.examples import of_blocks, on


def toy(**changes: Any) -> Transformer:
    sizes = {"hidden": 1024, "layers": 1, "num_heads": 8, "num_kv_heads": 8, "width": 2048, "vocab": 640}
    return transformer_from_sizes(**(sizes | {"head_dim": 128} | changes))


def with_down(change: Callable[[Linear], Linear], **sizes: Any) -> Transformer:
    model = toy(**sizes)
    ffn = model.blocks[0].ffn
    assert isinstance(ffn, FeedForward)
    changed = replace(ffn, down=change(ffn.down), up=change(ffn.up), gate=ffn.gate and change(ffn.gate))
    return model.with_blocks((replace(model.blocks[0], ffn=changed),))


@pytest.mark.parametrize(
    ("model", "gpus", "said"),
    [
        (toy(), 3, "8 query heads are no multiple of 3"),
        (toy(num_kv_heads=2), 16, "8 query heads are no multiple of 16"),
        (toy(num_heads=12, num_kv_heads=3), 2, "3 KV heads and 2 GPUs: neither is a multiple of the other"),
        (toy(width=2052), 8, "an FFN width of 2052: no multiple of 8"),
        (
            with_down(lambda linear: replace(linear, format=weight_only("gptq", 4, group=128)), width=1536),
            8,
            "w4a16 scales groups of 128 values; 192 inputs of down on each of 8 GPUs cut one",
        ),
        (
            with_down(lambda linear: replace(linear, format=block_scaled_fp8("fp8", 128, 128)), width=1536),
            8,
            "fp8_block scales blocks of 128 rows; 192 of gate on each of 8 GPUs cut one",
        ),
        (
            with_down(lambda linear: replace(linear, form=WeightForm.SPARSE_2_4), width=2064),
            8,
            "2:4 stores groups of four; 258 inputs of down on each of 8 GPUs cut one",
        ),
    ],
)
def test_what_stands_in_the_way_is_named(model: Transformer, gpus: int, said: str) -> None:
    assert obstacle(model, gpus) == said
    with pytest.raises(InvalidValueError, match=rf"gpus = {gpus}; expected 1.* for custom: "):
        gpu_share(model, on(gpus))


def test_few_kv_heads_stand_on_several_gpus() -> None:
    assert dividing_counts(toy(num_kv_heads=2), most=8) == (1, 2, 4, 8)
    assert dividing_counts(toy(num_heads=28, num_kv_heads=4, width=18944), most=8) == (1, 2, 4)


def test_experts_divide_by_width_or_whole() -> None:
    layer = expert_layer(hidden=1024, width=100, num_experts=6, top_k=2)
    attention = grouped_query_attention(hidden=1024, num_heads=8, num_kv_heads=8, head_dim=128)
    model = of_blocks("some", 1024, 640, 1, attention, layer)
    assert obstacle(model, 8) == "experts of a width of 100: no multiple of 8"
    assert obstacle(model, 8, expert_parallel=True) == "6 experts are fewer than 8"
    assert obstacle(model, 4, expert_parallel=True) == ""


def test_a_dense_model_has_no_experts_to_share() -> None:
    with pytest.raises(InvalidValueError, match=r"expert_parallel = True; expected false: custom has no exp"):
        check_divides(toy(), 2, expert_parallel=True)
    check_divides(mixtral(), 2, expert_parallel=True)
