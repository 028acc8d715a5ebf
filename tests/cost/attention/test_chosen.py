"""Attention to chosen tokens, and the scores that choose them: work by hand, floors, and what rates say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.floor import attention_flop, attention_kv_bytes
from infersim.cost.kernels import kernel_cost, kernel_kind
from infersim.domain.dtypes import DType
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files.profiles import load_profile

H800, A100, B200 = (load_profile(name) for name in ("h800-sxm", "a100-sxm-80gb", "b200-sxm"))
CHOSEN = Attention(
    phase=Phase.DECODE,
    batch=128,
    query_len=1,
    context_len=65536,
    num_heads=128,
    num_kv_heads=1,
    head_dim=576,
    value_dim=512,
    shared_kv=True,
    window=2048,
    chosen=True,
    dtype=DType.BF16,
)
SCORES = replace(
    CHOSEN, num_heads=64, head_dim=128, value_dim=0, window=None, chosen=False, dtype=DType.FP8,
    kv_dtype=DType.FP8,
)  # fmt: skip


def seconds(shape: Attention, profile: object = H800) -> float:
    return float(kernel_cost(shape, profile).kernel_s)  # type: ignore[arg-type]


def test_no_more_than_the_chosen_tokens_are_read_and_multiplied() -> None:
    assert attention_kv_bytes(CHOSEN) == 128 * 2048 * 576 * 2
    assert attention_flop(CHOSEN) == 2 * 128 * 128 * 2048 * (576 + 512)
    few = replace(CHOSEN, context_len=1000)
    assert attention_flop(few) == 2 * 128 * 128 * 1000 * (576 + 512)


def test_in_prefill_each_query_takes_its_own_and_the_cache_counts_once() -> None:
    prompt = replace(CHOSEN, phase=Phase.PREFILL, batch=1, query_len=3000, context_len=3000)
    pairs = 2048 * 2049 // 2 + (3000 - 2048) * 2048
    assert attention_flop(prompt) == 2 * 128 * pairs * (576 + 512)
    assert attention_kv_bytes(prompt) == 3000 * 576 * 2


def test_scores_take_every_token_before() -> None:
    assert attention_flop(SCORES) == 2 * 128 * 64 * 65536 * 128
    assert attention_kv_bytes(SCORES) == 128 * 65536 * 128
    prompt = replace(SCORES, phase=Phase.PREFILL, batch=1, query_len=3000, context_len=3000)
    assert attention_flop(prompt) == 2 * 64 * (3000 * 3001 // 2) * 128


def test_time_follows_what_is_chosen_and_not_the_context() -> None:
    assert seconds(CHOSEN) == pytest.approx(seconds(replace(CHOSEN, context_len=131072)))
    assert seconds(SCORES) == pytest.approx(seconds(replace(SCORES, context_len=131072)) / 2, rel=0.1)


def test_published_rates() -> None:
    """FlashMLA reports 640 TFLOP/s in prefill and 410 over 8 bit in decode on H800: as much as can be."""
    prompt = replace(CHOSEN, phase=Phase.PREFILL, batch=1, query_len=8192, context_len=65536)
    assert 0.7 * 640 < float(attention_flop(prompt)) / seconds(prompt) / 1e12 <= 640
    eight_bit = replace(CHOSEN, kv_dtype=DType.FP8)
    assert 0.7 * 410 < float(attention_flop(eight_bit)) / seconds(eight_bit) / 1e12 <= 410
    # 32 caches of 65,536 tokens of 132 bytes in 45.3 us on B200, launch included.
    index = kernel_cost(replace(SCORES, batch=32, context_len=65536), B200)
    assert float(index.kernel_s) == pytest.approx(45.3e-6, rel=0.25)


def test_a_share_of_the_heads_below_a_tile_saves_nothing() -> None:
    prompt = replace(CHOSEN, phase=Phase.PREFILL, batch=1, query_len=8192, context_len=65536)
    whole, half, eighth = (seconds(replace(prompt, num_heads=heads)) for heads in (128, 64, 16))
    assert whole == pytest.approx(2 * half, rel=0.05)
    assert eighth == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("shape", [CHOSEN, SCORES, replace(SCORES, phase=Phase.PREFILL, query_len=64)])
def test_no_floor_is_beaten_and_none_of_it_counts_as_measured(shape: Attention) -> None:
    batch, context = np.array([1, 8, 64]), np.array([[64], [4096], [131072]])
    for profile in (H800, A100, B200):
        cost = kernel_cost(replace(shape, batch=batch, context_len=context), profile)
        stream_s = cost.model_bytes / profile.memory.bandwidth_bytes_per_s
        assert (cost.kernel_s >= np.maximum(cost.matrix_floor_s, stream_s)).all()
        assert not cost.in_range.any()
        assert (cost.log_half_width >= 0.5).all()


def test_intervals_are_wider_than_those_of_attention_to_all() -> None:
    every = replace(CHOSEN, window=None, chosen=False)
    wide, narrow = (kernel_cost(shape, H800).log_half_width for shape in (CHOSEN, every))
    assert wide > narrow + 0.05


def test_gpus_without_8_bit_floats_score_in_16_bit() -> None:
    assert DType.FP8 not in A100.matrix
    assert kernel_kind(SCORES).multiplies_in(SCORES, A100) is DType.BF16
    assert kernel_kind(SCORES).multiplies_in(SCORES, H800) is DType.FP8
