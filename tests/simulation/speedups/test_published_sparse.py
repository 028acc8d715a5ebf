"""2:4 kernels and models as others measured them: public issues and pages, each point with its source."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.profile_files import load_profile
from infersim.pruning.composition import prune
from infersim.simulation.kernels.gemm import gemm_latency
from infersim.simulation.speedups.comparison import compare
from infersim.workload.presets import load_model

CUTLASS_408 = "github.com/NVIDIA/cutlass/issues/408: CUTLASS 2.8, CUDA 11.6, A100 SXM4"
SAMPLES_203 = "github.com/NVIDIA/CUDALibrarySamples/issues/203: cuSPARSELt 0.6, H100 SXM"
CUTLASS_2229 = "github.com/NVIDIA/cutlass/issues/2229: CUTLASS 3.8, CUDA 12.8, H100 SXM"
CUTLASS_1335 = "github.com/NVIDIA/cutlass/issues/1335: CUDA 12.3, CUTLASS's own kernels, an H100"
DENSE_1335_US, SPARSE_1335_US = 45.7472, 74.2464
HPC_AI = "company.hpc-ai.com/blog, 2:4 semi-structured sparsity, 2025: CUTLASS against cuBLAS"
AO_174 = "github.com/pytorch/ao/issues/174: CUTLASS of PyTorch 2.4, RTX 4070 Ti SUPER"
PYTORCH_111339 = "github.com/pytorch/pytorch/issues/111339: PyTorch 2.1, one token padded to 32"
TUTORIALS_3505 = "github.com/pytorch/tutorials/issues/3505: PyTorch 2.2, RTX 4090"
PYTORCH_115077 = "github.com/pytorch/pytorch/issues/115077: gpt-fast, cuSPARSELt 0.5, best algorithm"


@pytest.mark.parametrize(
    ("gpu", "dtype", "side", "published", "within"),
    [
        pytest.param("a100-sxm-80gb", "fp16", 16384, 29.1 / 18.2, 0.10, id=CUTLASS_408),
        pytest.param("h100-sxm", "fp16", 8192, 1.21, 0.05, id=SAMPLES_203),
        pytest.param("h100-sxm", "bf16", 8192, 1.20, 0.05, id=CUTLASS_2229),
        pytest.param("h100-sxm", "fp8", 8192, 1.22, 0.05, id=HPC_AI),
    ],
)
def test_large_squares(gpu: str, dtype: str, side: int, published: float, within: float) -> None:
    dense, sparse = (
        gemm_latency(gpu, side, side, side, dtype=dtype, sparsity=form, act_quant=False)
        for form in (None, "2:4")
    )
    assert float(dense.latency_s / sparse.latency_s) == pytest.approx(published, rel=within)


@pytest.mark.parametrize(("form", "published_ms"), [(None, 29.10), ("2:4", 18.19), ("2:4", 18.56)])
def test_the_large_square_on_a100_in_milliseconds(form: str | None, published_ms: float) -> None:
    """CUTLASS_408: dense; 1,410 MHz locked, and at the clock that the board chooses (473.9 TFLOP/s)."""
    found = gemm_latency("a100-sxm-80gb", 16384, 16384, 16384, dtype="fp16", sparsity=form)
    assert float(found.lower_s) < published_ms * 1e-3 < float(found.upper_s)


@pytest.mark.parametrize(
    ("side", "published"),
    [(3072, 1.93), (4096, 1.90), (5120, 1.96), (6144, 1.85), (7168, 1.64), (8192, 1.45), (10240, 1.39)],
)
def test_the_gain_falls_once_a_row_of_tiles_fills_the_sms(side: int, published: float) -> None:
    """AO_174: M = N, K 10240."""
    dense, sparse = (
        gemm_latency("rtx-4070-ti-super", side, side, 10240, sparsity=form, weight_copies=1)
        for form in (None, "2:4")
    )
    assert float(dense.latency_s / sparse.latency_s) == pytest.approx(published, rel=0.10)


def test_one_token_may_take_ten_times_as_long() -> None:
    """PYTORCH_111339: 0.022 ms dense, 0.196 ms sparse."""
    dense, sparse = (
        gemm_latency("a100-sxm-80gb", 1, 4096, 4096, dtype="fp16", sparsity=form) for form in (None, "2:4")
    )
    assert float(sparse.lower_s) < float(dense.latency_s)
    assert float(sparse.upper_s) > float(dense.latency_s) * 0.196 / 0.022
    assert float(sparse.upper_s) > 0.196e-3 > float(sparse.lower_s)


def test_amperes_kernels_on_hopper_lose_and_prefills_do_not_run_them() -> None:
    """CUTLASS_1335; Hopper's own 2:4 kernels came later."""
    worst = {}
    for m in (768, 8192):
        dense, sparse = (gemm_latency("h100-sxm", m, 4096, 4096, sparsity=form) for form in (None, "2:4"))
        worst[m] = float(dense.latency_s / sparse.upper_s)
        assert float(dense.latency_s / sparse.latency_s) > 1
    assert worst[768] < DENSE_1335_US / SPARSE_1335_US
    assert worst[8192] > 0.8


def test_times_of_a_report_that_names_no_board_lie_between_those_of_the_boards() -> None:
    """CUTLASS_1335: its dense kernel is slower than the interval of an SXM board reaches, and its 2:4 kernel
    by no more than that. Over its own dense time the 2:4 one is inside, as on a PCIe board.
    """
    sxm, pcie = (
        [gemm_latency(gpu, 768, 4096, 4096, sparsity=form) for form in (None, "2:4")]
        for gpu in ("h100-sxm", "h100-pcie")
    )
    assert float(sxm[0].upper_s) < DENSE_1335_US * 1e-6 < float(pcie[0].latency_s)
    slower = DENSE_1335_US * 1e-6 / float(sxm[0].latency_s)
    assert float(sxm[1].upper_s) < SPARSE_1335_US * 1e-6 < slower * float(sxm[1].upper_s)
    assert float(pcie[1].lower_s) < SPARSE_1335_US * 1e-6 < float(pcie[1].upper_s)


@pytest.mark.parametrize(
    ("gpu", "published"),
    [
        pytest.param("rtx-4090", 0.88, id=TUTORIALS_3505),
        pytest.param("a100-sxm-80gb", 114 / 104, id=PYTORCH_115077),
    ],
)
def test_a_token_of_llama_2_7b(gpu: str, published: float) -> None:
    model = load_model("llama-2-7b")
    plan = prune(model, "static-k-2:4", 0.5)
    found = compare(model, [plan], load_profile(gpu), phase="decode", batch=1, context=256).iloc[0]
    assert found["predicted_lower"] < published < found["predicted_upper"]
    assert found["predicted_lower"] < 1 < found["bound"]
    assert np.log(found["predicted"] / published) < 0.3  # at most 35 % too much
    assert found["predicted_upper"] < 1.3 * found["ceiling"]


@pytest.mark.parametrize(
    ("gpu", "dtype", "library"),
    [
        ("a100-pcie-80gb", "fp16", "cuSPARSELt 0.8.1 on a100-pcie-80gb"),
        ("a100-sxm-80gb", "int8", "cuSPARSELt 0.8.1 on a100-pcie-80gb"),
        ("a100-sxm-80gb", "bf16", "CUTLASS 2.8 or cuSPARSELt 0.8.1"),
        ("h100-sxm", "fp8", "cuSPARSELt 0.6 or CUTLASS 3.8 on h100-sxm"),
    ],
)
def test_a_prediction_names_the_library_it_stands_on(gpu: str, dtype: str, library: str) -> None:
    found = gemm_latency(gpu, 512, 4096, 4096, dtype=dtype, sparsity="2:4").kernels
    assert found is not None
    assert found.startswith(library)
