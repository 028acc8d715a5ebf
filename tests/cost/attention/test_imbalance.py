"""Random block masks load the SMs unevenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.attention.kernels import longest_over_mean
from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import DType
from infersim.domain.shapes import Attention, Phase
from infersim.profile_files import load_profile

GPU = load_profile("h100-sxm")


def test_by_hand() -> None:
    # 100 blocks at one half: 50 kept, deviation 5; of e^2 = 7.39 chains the longest has two deviations more.
    assert longest_over_mean(0.5, 100, np.exp(2)) == pytest.approx(1 + 2 * 5 / 50)
    assert longest_over_mean(1.0, 100, 1000) == 1.0


def test_drawn_masks_agree() -> None:
    kept, blocks, chains = 0.3, 200, 512
    drawn = np.random.default_rng(0).binomial(blocks, kept, size=(400, chains))
    simulated = drawn.max(axis=1).mean() / (blocks * kept)
    assert longest_over_mean(kept, blocks, chains) == pytest.approx(simulated, rel=0.06)


@given(st.floats(0.01, 1), st.integers(1, 10_000), st.integers(1, 100_000))
def test_no_march_is_longer_than_all_its_blocks(kept: float, blocks: int, chains: int) -> None:
    longest = float(longest_over_mean(kept, blocks, chains))
    assert longest * (1 + 1e-12) >= 1
    assert longest * kept <= 1 + 1e-12


@pytest.mark.parametrize("phase", list(Phase))
def test_small_blocks_share_out_work_better(phase: Phase) -> None:
    shape = Attention(
        phase=phase,
        batch=1,
        query_len=4096 if phase is Phase.PREFILL else 1,
        context_len=4096,
        num_heads=8,
        num_kv_heads=8,
        head_dim=128,
        dtype=DType.BF16,
        kept=0.25,
        block=16,
    )
    small, large = (kernel_cost(replace(shape, block=block), GPU).kernel_s for block in (16, 256))
    assert small < large


@given(
    batch=st.sampled_from([1, 8, 64]),
    context=st.sampled_from([512, 1024, 4096, 32768]),
    kept=st.floats(0.01, 1),
)
def test_decode_over_fewer_blocks_is_never_slower(batch: int, context: int, kept: float) -> None:
    bare = replace(GPU, fit=None)
    dense = Attention(
        phase=Phase.DECODE,
        batch=batch,
        query_len=1,
        context_len=context,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        dtype=DType.BF16,
    )
    sparse = replace(dense, kept=kept, block=64)
    assert kernel_cost(sparse, bare).kernel_s <= kernel_cost(dense, bare).kernel_s * (1 + 1e-9)
