"""Splits: whole groups, the share asked for, the same for the same seed and any order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import InvalidValueError
from infersim.fitting.samples.splits import ATTENTION_GROUPS, GEMM_GROUPS, hold_out_groups, sample_rows
from tests.fitting.example_samples import ATTENTION, GEMM, table


def grid() -> pd.DataFrame:
    """GEMMs of 3 m x 6 n x 5 k."""
    return table(
        *[GEMM | {"m": m, "n": n, "k": k} for m in (1, 8, 64) for n in range(1, 7) for k in range(1, 6)]
    )


@given(seed=st.integers(0, 2**32 - 1), fraction=st.floats(0.05, 0.95))
def test_whole_groups_are_held_out_in_the_share_asked_for(seed: int, fraction: float) -> None:
    frame = grid()
    held = hold_out_groups(frame, GEMM_GROUPS, fraction, seed)
    sides = frame.assign(held=held).groupby(["n", "k"])["held"].nunique()
    assert (sides == 1).all()
    assert held.sum() == 3 * min(max(round(fraction * 30), 1), 29)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(90)))
def test_the_split_depends_on_the_seed_and_not_on_the_order(seed: int, order: list[int]) -> None:
    frame = grid()
    held = hold_out_groups(frame, GEMM_GROUPS, 0.3, seed)
    np.testing.assert_array_equal(hold_out_groups(frame.iloc[order], GEMM_GROUPS, 0.3, seed), held[order])


def test_other_seeds_hold_out_other_groups() -> None:
    splits = {hold_out_groups(grid(), GEMM_GROUPS, 0.3, seed).tobytes() for seed in range(10)}
    assert len(splits) == 10


def test_attention_is_held_out_by_batch_and_heads() -> None:
    frame = table(
        *[
            ATTENTION | {"batch": batch, "context_len": context}
            for batch in (1, 2, 4)
            for context in (64, 128)
        ]
    )
    held = hold_out_groups(frame, ATTENTION_GROUPS, 0.34, seed=0)
    assert held.sum() == 2
    assert frame[held]["batch"].nunique() == 1


def test_one_group_and_no_rows_leave_nothing_to_hold_out() -> None:
    assert not hold_out_groups(table(GEMM, GEMM), GEMM_GROUPS, 0.5, seed=0).any()
    assert hold_out_groups(table(GEMM).iloc[:0], GEMM_GROUPS, 0.5, seed=0).shape == (0,)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_a_fraction_that_leaves_one_side_empty_is_refused(fraction: float) -> None:
    with pytest.raises(InvalidValueError, match="fraction"):
        hold_out_groups(grid(), GEMM_GROUPS, fraction, seed=0)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 120), order=st.permutations(range(90)))
def test_drawn_rows_are_distinct_and_the_same_in_any_order(seed: int, count: int, order: list[int]) -> None:
    frame = grid()
    drawn = sample_rows(frame, count, seed)
    assert len(drawn) == min(count, 90)
    assert not drawn.duplicated().any()
    pd.testing.assert_frame_equal(sample_rows(frame.iloc[order], count, seed), drawn)
