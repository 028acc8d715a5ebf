"""2:4 by a fit of its own: storage, rates and weights read again, derived by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.cost.floor import gemm_weight_bytes
from infersim.cost.gemm.gemm import machine_of, operands_of
from infersim.cost.gemm.sparse import KIND, operand_share, sparse_machine, sparse_operands
from infersim.cost.gemm.tiles import dram_us
from infersim.cost.parameters import GEMM_DEFAULTS, KindParameters, kind_parameters
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Gemm, WeightForm
from infersim.profile_files import list_profiles, load_profile

SPARSE_GPUS = [
    gpu
    for gpu in map(load_profile, list_profiles())
    if DType.BF16 in gpu.matrix and gpu.matrix[DType.BF16].sparse_factor > 1
]


def gemm(m: int, n: int, k: int, form: WeightForm, dtype: str = "bf16") -> Gemm:
    return Gemm(m=m, n=n, k=k, precision=precision_named(dtype), weights=form)


def bare(gpu: HardwareProfile) -> HardwareProfile:
    return replace(gpu, fit=None, calibration=Calibration.NONE, fit_source=None)


def defaults(gpu: HardwareProfile) -> KindParameters:
    return kind_parameters(bare(gpu), KIND, DType.BF16)


@pytest.mark.parametrize(
    ("dtype", "form", "share"),
    [
        ("fp16", WeightForm.SPARSE_2_4, 9 / 16),  # half the values, and 2 bits of 16 for each
        ("fp8", WeightForm.SPARSE_2_4, 5 / 8),
        ("w4a16", WeightForm.SPARSE_2_4, 3 / 4),
        ("bf16", WeightForm.SLIDE_6_8, 27 / 32),  # 9/16 of a K that is half longer
    ],
)
def test_weights_take_their_share_of_the_dense_bytes(dtype: str, form: WeightForm, share: float) -> None:
    dense = gemm_weight_bytes(gemm(1, 512, 1024, WeightForm.DENSE, dtype))
    assert gemm_weight_bytes(gemm(1, 512, 1024, form, dtype)) == pytest.approx(dense * share)


@pytest.mark.parametrize(
    ("gpu", "dtype", "share"),
    [
        ("a100-sxm-80gb", DType.BF16, 1.0),
        ("a100-sxm-80gb", DType.INT8, 1.0),
        ("h100-sxm", DType.FP8, 1.0),
        ("b200-sxm", DType.BF16, 1.0),
        ("l40s", DType.BF16, 0.5),
        ("rtx-4090", DType.BF16, 0.25),
        ("rtx-4090", DType.INT8, 0.5),
    ],
)
def test_graphics_cards_lean_less_on_operand_supply(gpu: str, dtype: DType, share: float) -> None:
    assert operand_share(load_profile(gpu), dtype) == pytest.approx(share)


@given(gpu=st.sampled_from(SPARSE_GPUS))
def test_the_sparse_rate_lies_between_dense_and_nominal(gpu: HardwareProfile) -> None:
    machine = machine_of(gpu, DType.BF16)
    sparse = sparse_machine(gpu, DType.BF16, machine, defaults(gpu))
    assert 1 < sparse.flop_per_us_per_sm / machine.flop_per_us_per_sm <= 2


@pytest.mark.parametrize(
    ("gpu", "columns", "rows", "passes"),
    [
        ("a100-sxm-80gb", 108, 10, 10),  # each row of tiles fills the 108 SMs
        ("a100-sxm-80gb", 216, 10, 10),  # and a longer one is still one pass over the weights
        ("a100-sxm-80gb", 54, 10, 5),  # two rows at a time
        ("rtx-4090", 128, 10, 5),  # of 128 SMs with two tiles each
        ("rtx-4090", 256, 10, 10),
    ],
)
def test_weights_beyond_l2_are_read_again_for_the_tiles_of_a_time(
    gpu: str, columns: int, rows: int, passes: int
) -> None:
    profile = load_profile(gpu)
    machine, depth = machine_of(profile, DType.BF16), 65536
    m, n, k = (np.array([side], dtype=np.float32) for side in (128 * rows, 128 * columns, depth))
    operands = operands_of(gemm(128 * rows, 128 * columns, depth, WeightForm.SPARSE_2_4))
    found = defaults(profile)
    again = sparse_operands(operands, replace(found, values={**found.values, "weight_reread": 1.0}), profile)
    once_us = dram_us(GEMM_DEFAULTS, machine, operands, m, n, k)
    weight_us = 128 * columns * depth * operands.weight_bytes / machine.dram_bytes_per_us
    once_more_us = weight_us / GEMM_DEFAULTS["dram_efficiency"]
    assert dram_us(GEMM_DEFAULTS, machine, again, m, n, k) - once_us == pytest.approx(
        (passes - 1) * once_more_us, rel=1e-4
    )


def test_weights_within_l2_are_read_once() -> None:
    machine = machine_of(load_profile("a100-sxm-80gb"), DType.BF16)
    m, n, k = (np.array([side], dtype=np.float32) for side in (8192, 2048, 1024))
    operands = operands_of(gemm(8192, 2048, 1024, WeightForm.SPARSE_2_4))
    once_us = dram_us(GEMM_DEFAULTS, machine, operands, m, n, k)
    again_us = dram_us(GEMM_DEFAULTS, machine, replace(operands, weight_reread=1.0), m, n, k)
    assert again_us == pytest.approx(once_us, rel=1e-3)


def test_two_to_four_gains_less_on_graphics_cards_that_multiply_faster() -> None:
    """The operands of a step take as long on each: what multiplies twice as fast waits for them sooner."""
    gains = []
    for name in ("rtx-4090", "l40s"):
        gpu = load_profile(name)
        machine, found = machine_of(gpu, DType.BF16), defaults(gpu)
        gains.append(
            sparse_machine(gpu, DType.BF16, machine, found).flop_per_us_per_sm / machine.flop_per_us_per_sm
        )
    assert 2.0 > gains[0] > gains[1] > 1.0
