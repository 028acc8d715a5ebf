"""Expert layers: work and bytes by hand, floors, and how times follow tokens, experts and widths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.cost.experts.grouped import tile_heights
from infersim.cost.experts.work import experts_flop, hits, operand_bytes
from infersim.cost.kernels import kernel_cost
from infersim.domain.arrays import Array
from infersim.domain.costs import LIMITERS, KernelCost, Limiter
from infersim.domain.dtypes import precision_named
from infersim.domain.shapes import Experts
from infersim.profile_files.profiles import datasheet_alone, list_profiles, load_profile

BARE = datasheet_alone(load_profile("h100-sxm"))
MIXTRAL = Experts(
    tokens=1,
    hidden=4096,
    width=14336,
    num_experts=8,
    local_experts=8,
    top_k=2,
    precision=precision_named("bf16"),
)
QWEN = replace(MIXTRAL, hidden=2048, width=768, num_experts=128, local_experts=128, top_k=8)
"""A layer of Qwen3-30B-A3B."""


def total_us(cost: KernelCost) -> Array:
    return (cost.kernel_s + cost.launch_s) * 1e6


def test_one_token_of_mixtral_reads_two_experts() -> None:
    # 3 matrices of 4096 x 14336 an expert: 2 x 3 x 58,720,256 = 352,321,536 multiply-adds, of 2 bytes each.
    assert experts_flop(MIXTRAL) == pytest.approx(704_643_072)
    assert kernel_cost(MIXTRAL, BARE).model_bytes == pytest.approx(704_643_072)
    assert operand_bytes(MIXTRAL) == pytest.approx(704_643_072 + 2 * 2 * 4096)


def test_a_batch_of_qwen3_reads_the_experts_that_it_hits() -> None:
    # 128 (1 - (1 - 1/16)^32) = 111.77 experts of 3 x 2048 x 768 values; 256 pairs of token and expert.
    batch = replace(QWEN, tokens=32)
    assert hits(batch) == pytest.approx(111.77, rel=0.01)
    assert kernel_cost(batch, BARE).model_bytes == pytest.approx(111.77 * 4_718_592 * 2, rel=0.01)
    assert experts_flop(batch) == pytest.approx(256 * 2 * 4_718_592, rel=1e-3)


def test_experts_without_a_gate_have_two_matrices() -> None:
    assert experts_flop(replace(QWEN, gated=False)) == pytest.approx(experts_flop(QWEN) * 2 / 3)


def test_a_gpu_among_eight_has_an_eighth_of_each_expert_or_of_the_experts() -> None:
    many = replace(QWEN, tokens=4096, dealt=True)
    each = replace(many, width=768 / 8)
    some = replace(many, local_experts=16)
    for share in (each, some):
        assert experts_flop(share) == pytest.approx(experts_flop(many) / 8)
        assert kernel_cost(share, BARE).model_bytes == pytest.approx(kernel_cost(many, BARE).model_bytes / 8)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from([name for name in list_profiles() if "2080" not in name]),
    tokens=st.integers(1, 20000),
    layer=st.sampled_from([MIXTRAL, QWEN, replace(QWEN, gated=False, local_experts=8)]),
    skew=st.sampled_from([0.0, 1.2]),
    dtype=st.sampled_from(["bf16", "w4a16"]),
)
def test_no_layer_beats_its_floor(name: str, tokens: int, layer: Experts, skew: float, dtype: str) -> None:
    gpu = load_profile(name)
    shape = replace(layer, tokens=tokens, skew=skew, precision=precision_named(dtype))
    if shape.precision.math not in gpu.matrix:
        return
    cost = kernel_cost(shape, gpu)
    assert cost.kernel_s >= cost.flop / cost.peak_flop_per_s
    assert cost.kernel_s >= cost.model_bytes / gpu.memory.bandwidth_bytes_per_s
    assert cost.launch_s > 0


def test_more_work_takes_longer() -> None:
    octaves = 2.0 ** np.arange(15)
    for shape in (
        replace(QWEN, tokens=octaves),
        replace(QWEN, tokens=4096, width=16 * octaves),
        replace(QWEN, tokens=4096, hidden=octaves),
        replace(QWEN, tokens=4096, top_k=2.0 ** np.arange(7)),
        replace(QWEN, tokens=16, top_k=1, num_experts=octaves, local_experts=octaves),
    ):
        assert (np.diff(total_us(kernel_cost(shape, BARE))) > -1e-6).all()


def test_half_of_the_experts_are_half_of_the_time_while_weights_stream() -> None:
    whole = replace(
        MIXTRAL, tokens=64, num_experts=np.array([64, 32]), local_experts=np.array([64, 32]), top_k=8
    )
    before, after = total_us(kernel_cost(whole, BARE))
    assert after / before == pytest.approx(0.5, abs=0.03)


def test_half_of_the_experts_save_nothing_while_multiplying() -> None:
    whole = replace(QWEN, tokens=16384, num_experts=np.array([128, 64]), local_experts=np.array([128, 64]))
    before, after = total_us(kernel_cost(whole, BARE))
    assert after / before == pytest.approx(1.0, abs=0.05)


def test_small_layers_stay_in_l2_while_a_loop_comes_back_to_them() -> None:
    gpu = datasheet_alone(load_profile("rtx-pro-6000-server"))
    small = replace(QWEN, local_experts=1, num_experts=8, top_k=1, tokens=8)
    hot = replace(small, weight_copies=1)
    assert total_us(kernel_cost(hot, gpu)) < total_us(kernel_cost(small, gpu))
    large = replace(MIXTRAL, tokens=64)
    assert total_us(kernel_cost(replace(large, weight_copies=1), gpu)) == pytest.approx(
        total_us(kernel_cost(large, gpu)), rel=0.02
    )


def test_widths_that_are_no_multiple_of_16_take_slower_loads() -> None:
    widths = replace(QWEN, tokens=64, width=np.array([768.0, 760.0]))
    aligned, off = total_us(kernel_cost(widths, BARE))
    assert off > 1.05 * aligned


def test_limiters_name_the_cause() -> None:
    tokens = replace(MIXTRAL, tokens=np.array([16, 65536]))
    codes = kernel_cost(tokens, BARE).limiter
    assert [LIMITERS[code] for code in codes] == [Limiter.MEMORY, Limiter.COMPUTE]
    tiny = kernel_cost(replace(QWEN, hidden=64, width=16), BARE)
    assert LIMITERS[int(tiny.limiter)] is Limiter.LAUNCH


def test_the_host_is_seen_without_a_graph() -> None:
    graph, eager = (kernel_cost(QWEN, BARE, cuda_graph=way) for way in (True, False))
    assert eager.launch_s > graph.launch_s


def test_mxfp4_experts_run_with_wide_activations_everywhere() -> None:
    for name in ("h100-sxm", "b200-sxm"):
        gpu = datasheet_alone(load_profile(name))
        stored = kernel_cost(replace(QWEN, precision=precision_named("mxfp4")), gpu)
        widened = kernel_cost(replace(QWEN, precision=precision_named("mxfp4a16")), gpu)
        assert stored.kernel_s == widened.kernel_s


def test_arrays_are_as_scalars() -> None:
    tokens = np.array([[1, 7, 300], [2, 64, 9000]])
    at_once = total_us(kernel_cost(replace(QWEN, tokens=tokens), BARE))
    one_by_one = [
        [float(total_us(kernel_cost(replace(QWEN, tokens=n), BARE))) for n in row] for row in tokens
    ]
    assert at_once == pytest.approx(np.array(one_by_one), rel=1e-5)


def test_tiles_have_the_heights_that_parameters_name() -> None:
    assert tile_heights() == (16, 32, 64, 128)
