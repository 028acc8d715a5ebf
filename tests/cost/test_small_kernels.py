"""Small kernels: what their time is made of, by hand, and in which direction it moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.kernels import kernel_cost
from infersim.cost.parameters import kind_parameters
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import MemoryBound
from infersim.domain.small_kernels import SMALL_OPS, SmallKernel, small_op
from infersim.fitting.calibration import calibrate
from infersim.profile_files.profiles import datasheet_alone, load_profile

GPU = datasheet_alone(load_profile("rtx-4090"))
NORM = MemoryBound(
    read_bytes=2.0 * 4096 * 2,
    write_bytes=2.0 * 4096 * 2,
    cold_bytes=4096 * 2.0,
    rewritten_bytes=2.0 * 4096 * 2,
    rows=1,
    kernel=SmallKernel.NORM,
)


def us(shape: MemoryBound, gpu: HardwareProfile = GPU) -> float:
    cost = kernel_cost(shape, gpu)
    return float(cost.kernel_s + cost.launch_s) * 1e6


def times(shape: MemoryBound, tokens: float) -> MemoryBound:
    """`shape` of so many tokens."""
    names = ("read_bytes", "write_bytes", "cold_bytes", "rewritten_bytes", "rows")
    return replace(shape, **{name: tokens * getattr(shape, name) for name in names})


def test_one_token_takes_a_launch_and_the_way_of_one_row() -> None:
    p = kind_parameters(GPU, "memory").values
    # 32 KiB a row; its bytes take 0.01 us.
    by_hand = p["launch_us"] + p["norm_us"] + 32 * p["norm_us_per_kib"]
    assert us(NORM) == pytest.approx(by_hand, rel=0.03)


def test_many_tokens_stream_at_the_memorys_rate() -> None:
    p = kind_parameters(GPU, "memory").values
    tokens = 2.0**20  # 32 GiB: nothing of it lies in L2
    streamed_us = tokens * 32768 / (p["dram_efficiency"] * GPU.memory.bandwidth_bytes_per_s / 1e6)
    assert us(times(NORM, tokens)) == pytest.approx(streamed_us, rel=0.01)


def test_narrow_rows_are_bound_by_their_number() -> None:
    p = kind_parameters(GPU, "memory").values
    heads = MemoryBound(
        read_bytes=64 * 1e6, write_bytes=64 * 1e6, rows=1e6, kernel=SmallKernel.NORM, looped=True
    )
    # A row of 128 bytes: a million of them are 8,000 for each of 128 SMs.
    assert us(heads) > 1e6 / 128 * p["norm_row_us"]
    flat = replace(heads, rows=0.0, kernel=SmallKernel.ADD)
    assert us(flat) < 0.6 * us(heads)


def test_old_operands_cost_more_and_rewritten_ones_less() -> None:
    norm = times(NORM, 1024)
    recent, apart = replace(norm, cold_bytes=0.0), replace(norm, rewritten_bytes=0.0)
    assert us(recent) < us(norm) < us(apart)


def test_a_loop_over_one_array_finds_all_of_it_in_l2() -> None:
    """A quarter of the RTX 4090's 72 MB moves at L2's rate in a loop, far above the memory's."""
    array = MemoryBound(read_bytes=12e6, write_bytes=6e6, rows=1e3, kernel=SmallKernel.QUANTISE, looped=True)
    cost = kernel_cost(array, GPU)
    assert float(cost.kernel_s) < 0.4 * 18e6 / GPU.memory.bandwidth_bytes_per_s
    assert us(array) < us(replace(array, looped=False))


def test_kernels_in_a_row_cost_what_each_costs() -> None:
    one = times(NORM, 100)
    three = replace(times(one, 3), kernels=3)
    assert us(three) == pytest.approx(3 * us(one))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(SmallKernel), st.floats(1, 1e5), st.floats(32, 1e5), st.booleans())
def test_more_of_anything_takes_longer(kernel: SmallKernel, rows: float, width: float, looped: bool) -> None:
    shape = MemoryBound(
        read_bytes=rows * width, write_bytes=rows * width, rows=rows, kernel=kernel, looped=looped
    )
    larger = np.array([us(times(shape, factor)) for factor in (1.0, 1.5, 4.0, 30.0)])
    assert (np.diff(larger) >= -1e-9).all()
    # What is cold leaves more of L2 to the rest.
    assert us(replace(shape, cold_bytes=rows * width)) >= 0.93 * us(shape)


@pytest.mark.parametrize("name", SMALL_OPS)
def test_ops_say_shares(name: str) -> None:
    op = small_op(name)
    assert 0 <= op.cold_reads <= 1
    assert 0 <= op.rewrites <= 1


def test_an_op_that_nobody_knows_is_a_copy() -> None:
    assert small_op("something new").kernel is SmallKernel.COPY


def test_a_served_step_is_a_few_percent_of_small_kernels() -> None:
    """Llama-3.1-8B, one token: 5 small kernels a layer, predicted at 1.9 to 2.5 us each, and the ends."""
    from infersim.simulation.speedups.prediction import predict
    from infersim.workload.presets import load_model

    (row,) = predict(load_model("llama-3.1-8b"), "rtx-pro-6000", phase="decode", context=1024).to_dict(
        "records"
    )
    launch_us = kind_parameters(load_profile("rtx-pro-6000"), "memory").values["launch_us"]
    kernels = 32 * 5 + 2
    assert kernels * (1.9 - launch_us) < row["ms_elementwise"] * 1e3 < kernels * (2.5 - launch_us)
    assert row["ms_launch"] * 1e3 > kernels * launch_us


def test_a_fit_vouches_for_the_kinds_that_it_saw() -> None:
    """Quantisation measured alone tells what launches and L2 cost, and leaves norms to the defaults."""
    random = np.random.default_rng(0)
    m, k = 2.0 ** random.integers(0, 14, 60), 2.0 ** random.integers(9, 14, 60)
    shape = MemoryBound(
        read_bytes=2 * m * k, write_bytes=m * k, rows=m, kernel=SmallKernel.QUANTISE, looped=True
    )
    cost = kernel_cost(shape, GPU)
    samples = pd.DataFrame(
        {
            "kind": "memory",
            "op": "quantise",
            "read_bytes": 2 * m * k,
            "write_bytes": m * k,
            "rows": m,
            "weight_copies": 1,
            "latency_us": 1.3 * 1e6 * (cost.kernel_s + cost.launch_s),
        }
    )
    fitted = calibrate(GPU, samples)
    slower = kernel_cost(shape, fitted)
    assert np.median((slower.kernel_s + slower.launch_s) / (cost.kernel_s + cost.launch_s)) == pytest.approx(
        1.3, rel=0.02
    )
    assert slower.in_range.all()
    norm = kernel_cost(times(NORM, 100), fitted)
    assert not norm.in_range.any()
    assert float(norm.log_half_width) > float(slower.log_half_width.max())
