"""Stacked shapes cost what each costs alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.kernels import kernel_cost
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.shapes import Attention, Gemm, MemoryBound, Phase, Shape, WeightForm
from infersim.domain.small_kernels import SmallKernel
from infersim.profile_files.profiles import load_profile
from infersim.simulation.timing.stacking import same_shape, stack_shapes

BATCH = np.array([[1.0], [8.0]])
CONTEXT = np.array([128.0, 1024.0, 4096.0])
EXTENT = (2, 3)

gemms = st.builds(
    Gemm,
    m=st.sampled_from([BATCH, BATCH * CONTEXT, 16.0]),
    n=st.integers(1, 8192),
    k=st.integers(1, 8192),
    precision=st.sampled_from([precision_named("bf16"), precision_named("fp8")]),
    weights=st.sampled_from(list(WeightForm)),
)
attentions = st.builds(
    Attention,
    phase=st.just(Phase.DECODE),
    batch=st.just(BATCH),
    query_len=st.just(1),
    context_len=st.sampled_from([CONTEXT, 512.0]),
    num_heads=st.just(32),
    num_kv_heads=st.sampled_from([8, 32]),
    head_dim=st.sampled_from([64, 128]),
    dtype=st.just(DType.BF16),
    window=st.sampled_from([None, 256]),
    kept=st.sampled_from([1.0, 0.5]),
)
moves = st.builds(
    MemoryBound,
    read_bytes=st.sampled_from([BATCH * 100, BATCH * CONTEXT, 1e6]),
    write_bytes=st.floats(1, 1e9),
    kernels=st.integers(1, 3),
    kernel=st.sampled_from(SmallKernel),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(gemms, attentions, moves), min_size=1, max_size=12))
def test_stacked_shapes_cost_what_each_costs_alone(shapes: list[Shape]) -> None:
    profile = load_profile("h100-sxm")
    seen: list[int] = []
    for stack in stack_shapes(shapes, len(EXTENT)):
        together = kernel_cost(stack.shape, profile)
        for place, row in enumerate(stack.rows):
            alone = kernel_cost(shapes[row], profile)
            for name in ("flop", "matrix_floor_s", "model_bytes", "kernel_s", "launch_s", "log_half_width"):
                np.testing.assert_allclose(
                    np.broadcast_to(getattr(together, name)[place], EXTENT),
                    np.broadcast_to(getattr(alone, name), EXTENT),
                    rtol=1e-6,
                )
            seen.append(int(row))
    assert sorted(seen) == list(range(len(shapes)))


def test_what_does_not_depend_on_the_context_is_not_computed_for_each() -> None:
    shapes = [Gemm(m=BATCH, n=n, k=64, precision=precision_named("bf16")) for n in (128, 256)]
    (stack,) = stack_shapes(shapes, len(EXTENT))
    assert isinstance(stack.shape, Gemm)
    assert np.shape(stack.shape.m) == (2, 2, 1)


def test_same_shape_is_told_scenario_by_scenario() -> None:
    one = Gemm(m=BATCH, n=64, k=64, precision=precision_named("bf16"))
    other = Gemm(m=8.0, n=64, k=64, precision=precision_named("bf16"))
    np.testing.assert_array_equal(same_shape(one, other), [[False], [True]])


@pytest.mark.parametrize(
    "other",
    [
        Gemm(m=8.0, n=64, k=64, precision=precision_named("fp8")),
        Gemm(m=8.0, n=64, k=64, precision=precision_named("bf16"), weights=WeightForm.SPARSE_2_4),
        MemoryBound(read_bytes=8.0, write_bytes=64.0),
    ],
)
def test_kernels_of_another_kind_are_never_the_same(other: Shape) -> None:
    one = Gemm(m=8.0, n=64, k=64, precision=precision_named("bf16"))
    assert not same_shape(one, other)
