"""What prefill attention is made of: tiles of queries, groups in one tile, exponentials beside products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.attention.kernels import prefill_streams_us
from infersim.cost.parameters import DEFAULTS
from infersim.domain.dtypes import DType
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files.profiles import datasheet_alone, load_profile

H100 = datasheet_alone(load_profile("h100-sxm"))
LONG = Attention(
    phase=Phase.PREFILL,
    batch=4,
    query_len=8192,
    context_len=8192,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    dtype=DType.BF16,
)


def compute_us(shape: Attention, **changed: float) -> float:
    compute, _ = prefill_streams_us({**DEFAULTS["attention.prefill"], **changed}, shape, H100)
    return float(np.max(compute))


def test_a_long_prefill_is_its_products_at_the_efficiency_where_exponentials_are_free() -> None:
    # Causal: half of 4 x B x H x S^2 x D, and half a tile of the diagonal more for each query.
    tile, efficiency = 128.0, 0.8
    pairs = LONG.query_len * (LONG.query_len + tile) / 2
    flop = 4 * LONG.batch * LONG.num_heads * pairs * LONG.head_dim
    peak = H100.datasheet_flop_per_s(DType.BF16) * efficiency
    found = compute_us(
        LONG, efficiency=efficiency, softmax_per_clock_per_sm=1e9, diagonal_steps=1e-6, query_tile=tile
    )
    assert found == pytest.approx(1e6 * flop / peak, rel=0.02)


def test_half_the_head_width_saves_less_than_half_as_exponentials_stay() -> None:
    narrow = replace(LONG, head_dim=64)
    assert 0.5 < compute_us(narrow) / compute_us(LONG) < 1
    free = {"softmax_per_clock_per_sm": 1e9, "block_us": 1e-6}
    assert compute_us(narrow, **free) / compute_us(LONG, **free) == pytest.approx(0.5, rel=0.01)


def test_a_lone_block_takes_a_step_as_long_as_its_tile_is_wide() -> None:
    lone = replace(LONG, batch=1, num_heads=1, num_kv_heads=1, query_len=4096, context_len=4096)
    steps = {"block_us": 1e-6, "diagonal_steps": 1e-6}
    wide, narrow = (compute_us(lone, query_tile=tile, **steps) for tile in (256.0, 64.0))
    assert wide / narrow == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("packing", [0.01, 1.0])
def test_one_query_a_sequence_costs_by_kv_heads_on_any_kernel(packing: float) -> None:
    one = replace(LONG, batch=256, query_len=1, context_len=1)
    more_queries = replace(one, num_heads=128)
    fewer_kv_heads = replace(one, num_kv_heads=2)
    cost = compute_us(one, group_packing=packing, short_exponent=0.1)
    assert compute_us(more_queries, group_packing=packing, short_exponent=0.1) < 1.5 * cost
    assert compute_us(fewer_kv_heads, group_packing=packing, short_exponent=0.1) < 0.5 * cost


def test_a_kernel_that_packs_groups_saves_blocks_of_short_prompts_only() -> None:
    short = replace(LONG, batch=64, query_len=16, context_len=16)
    assert compute_us(short, group_packing=1.0) < 0.7 * compute_us(short, group_packing=0.01)
    assert compute_us(LONG, group_packing=1.0) == pytest.approx(
        compute_us(LONG, group_packing=0.01), rel=0.02
    )
