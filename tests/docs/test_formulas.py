"""docs/cost-model.md states the formulas that the code computes: transcribed, they give the same times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.attention.kernels import longest_over_mean
from infersim.cost.gemm import group_skip
from infersim.cost.gemm.group_skip import GroupAxis, GroupGemm, GroupKernels
from infersim.cost.gemm.sparse_relations import PARAMETERS, sparse_relation
from infersim.cost.gemm.unstructured import SparseKernel, UnstructuredGemm
from infersim.cost.kernels import kernel_cost
from infersim.domain.costs import KernelCost
from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Attention, Collective, Exchange, Gemm, MemoryBound, Phase, WeightForm
from infersim.domain.small_kernels import SmallKernel
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.simulation.kernels.gemm import gemm_latency
from infersim.simulation.timing.timeline import timeline
from infersim.workload.presets import load_model
from infersim.workload.scenario import Scenario
from tests.docs import formulas

GPUS = ("a100-sxm-80gb", "h100-sxm", "rtx-4090")
SHAPES = (
    (1, 4096, 4096),
    (8, 512, 448),
    (16, 128, 8192),
    (64, 14336, 4096),
    (1000, 4096, 14336),
    (2048, 8192, 16),
    (8192, 28672, 8192),
)
CLOSE = 2e-3
"""The code counts in float32."""


@pytest.fixture(scope="module", params=GPUS)
def gpu(request: pytest.FixtureRequest) -> HardwareProfile:
    return datasheet_alone(load_profile(request.param))


def _us(cost: KernelCost) -> float:
    return float(np.squeeze(cost.kernel_s + cost.launch_s)) * 1e6


def _lifted(us: float, cost: KernelCost, gpu: HardwareProfile) -> float:
    """A time of the page lifted to the floor, launch kept."""
    launch = float(np.squeeze(cost.launch_s)) * 1e6
    floor_s = max(
        float(np.squeeze(cost.matrix_floor_s)),
        float(np.squeeze(cost.model_bytes)) / gpu.memory.bandwidth_bytes_per_s,
    )
    return max(us - launch, floor_s * 1e6) + launch


@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
@pytest.mark.parametrize("copies", [None, 1, 6])
def test_gemm(gpu: HardwareProfile, m: int, n: int, k: int, copies: int | None) -> None:
    cost = kernel_cost(Gemm(m=m, n=n, k=k, precision=precision_named("bf16"), weight_copies=copies), gpu)
    assert _us(cost) == pytest.approx(
        _lifted(formulas.gemm_us(gpu, m, n, k, copies=copies), cost, gpu), rel=CLOSE
    )


@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
@pytest.mark.parametrize("copies", [None, 1, 6])
def test_the_floor_of_a_gemm(gpu: HardwareProfile, m: int, n: int, k: int, copies: int | None) -> None:
    found = gemm_latency(gpu, m, n, k, weight_copies=copies)
    assert found.floor_s * 1e6 == pytest.approx(formulas.gemm_floor_us(gpu, m, n, k, copies=copies))


@pytest.mark.parametrize("gpu_name", GPUS)
def test_the_floor_of_a_step_is_its_cold_roofline_less_l2(gpu_name: str) -> None:
    """A decode step of one sequence: memory takes longer than multiplying in every op."""
    gpu = load_profile(gpu_name)
    step = timeline(load_model("llama-3.1-8b"), gpu, Scenario(phase=Phase.DECODE, batch=1, context=1024))
    seconds = (step.costs.model_bytes.sum() - gpu.chip.l2_bytes) / gpu.memory.bandwidth_bytes_per_s
    assert step.floor_s == pytest.approx(seconds)


@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_quantised_activations(m: int, n: int, k: int) -> None:
    gpu = datasheet_alone(load_profile("h100-sxm"))
    cost = kernel_cost(Gemm(m=m, n=n, k=k, precision=precision_named("fp8")), gpu)
    assert _us(cost) == pytest.approx(
        _lifted(formulas.gemm_us(gpu, m, n, k, act_quant=True), cost, gpu), rel=CLOSE
    )


@pytest.mark.parametrize(("m", "n", "k"), [*SHAPES, (4, 4096, 4096)])
def test_widened_weights(m: int, n: int, k: int) -> None:
    gpu = datasheet_alone(load_profile("l40s"))
    cost = kernel_cost(Gemm(m=m, n=n, k=k, precision=precision_named("w4a16")), gpu)
    assert _us(cost) == pytest.approx(
        _lifted(formulas.gemm_us(gpu, m, n, k, w4a16=True), cost, gpu), rel=CLOSE
    )


@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_two_of_four(gpu: HardwareProfile, m: int, n: int, k: int) -> None:
    shape = Gemm(m=m, n=n, k=k, precision=precision_named("bf16"), weights=WeightForm.SPARSE_2_4)
    cost = kernel_cost(shape, gpu)
    relation = sparse_relation(gpu, DType.BF16)
    said = {name: getattr(relation, name) for name in (*PARAMETERS, "tiles_per_sm")}
    found = formulas.sparse_us(gpu, m, n, k, relation=said)
    assert _us(cost) == pytest.approx(_lifted(found, cost, gpu), rel=CLOSE)


@pytest.mark.parametrize(
    ("b", "q", "c", "heads", "kv", "d"),
    [
        (1, 4096, 4096, 32, 8, 128),
        (4, 100, 100, 32, 8, 64),
        (1, 1, 900, 16, 4, 128),
        (2, 512, 2048, 8, 8, 256),
    ],
)
def test_prefill(gpu: HardwareProfile, b: int, q: int, c: int, heads: int, kv: int, d: int) -> None:
    cost = kernel_cost(_attention(Phase.PREFILL, b, q, c, heads, kv, d), gpu)
    found = formulas.prefill_us(gpu, b=b, q=q, c=c, H=heads, h=kv, d=d)
    assert _us(cost) == pytest.approx(_lifted(found, cost, gpu), rel=CLOSE)


@pytest.mark.parametrize(
    ("b", "c", "heads", "kv", "d"),
    [
        (1, 131072, 32, 8, 128),
        (64, 1024, 32, 8, 128),
        (8, 4096, 32, 32, 64),
        (16, 77, 8, 1, 128),
        (2, 512, 64, 1, 128),
    ],
)
@pytest.mark.parametrize("copies", [None, 1])
def test_decode(
    gpu: HardwareProfile, b: int, c: int, heads: int, kv: int, d: int, copies: int | None
) -> None:
    shape = replace(_attention(Phase.DECODE, b, 1, c, heads, kv, d), kv_copies=copies)
    cost = kernel_cost(shape, gpu)
    found = formulas.decode_us(gpu, b=b, c=c, H=heads, h=kv, d=d, copies=copies)
    assert _us(cost) == pytest.approx(_lifted(found, cost, gpu), rel=CLOSE)


@pytest.mark.parametrize(("b", "c", "heads"), [(1, 100, 16), (1, 32768, 128), (256, 4096, 128)])
def test_latent_decode(gpu: HardwareProfile, b: int, c: int, heads: int) -> None:
    shape = replace(
        _attention(Phase.DECODE, b, 1, c, heads, 1, 576), value_dim=512, shared_kv=True, kv_copies=None
    )
    cost = kernel_cost(shape, gpu)
    found = formulas.latent_us(gpu, B=b, c=c, h=heads, r=512, rotary=64)
    assert _us(cost) == pytest.approx(_lifted(found, cost, gpu), rel=CLOSE)


@pytest.mark.parametrize("looped", [False, True])
@pytest.mark.parametrize("kernel", [SmallKernel.COPY, SmallKernel.NORM, SmallKernel.QUANTISE_DYNAMIC])
@pytest.mark.parametrize("moved", [1e4, 3e7, 1e9])
def test_small_kernels_and_launches(
    gpu: HardwareProfile, moved: float, kernel: SmallKernel, looped: bool
) -> None:
    rows = 0 if kernel is SmallKernel.COPY else 100
    shape = MemoryBound(
        read_bytes=moved / 2,
        write_bytes=moved / 2,
        cold_bytes=moved / 4,
        rewritten_bytes=moved / 8,
        rows=rows,
        kernel=kernel,
        looped=looped,
    )
    cost = kernel_cost(shape, gpu)
    found = formulas.small_kernel_us(
        gpu, kernel, Q=moved, r=rows, cold=moved / 4, over=moved / 8, looped=looped
    )
    assert _us(cost) == pytest.approx(found, rel=CLOSE)
    eager = kernel_cost(shape, gpu, cuda_graph=False)
    launch = formulas.launch_us(float(cost.kernel_s) * 1e6, float(cost.launch_s) * 1e6)
    assert float(eager.launch_s) * 1e6 == pytest.approx(launch)


@pytest.mark.parametrize(("m", "n", "k"), [(16, 4096, 4096), (4096, 4096, 4096)])
def test_generated_kernels(gpu: HardwareProfile, m: int, n: int, k: int) -> None:
    shape = Gemm(m=m, n=n, k=k, precision=precision_named("bf16"))
    library, generated = (kernel_cost(replace(shape, generated=made), gpu) for made in (False, True))
    speed = formulas.generated_speed(float(library.matrix_floor_s), float(library.kernel_s))
    assert float(generated.kernel_s) == pytest.approx(float(library.kernel_s) / speed)


@pytest.mark.parametrize(
    ("n", "k", "shared"),
    [(4096, 4092, 8), (4096, 4094, 4), (4096, 4095, 2), (4100, 4096, 8), (4097, 4096, 2)],
)
@pytest.mark.parametrize("m", [16, 4096])
def test_alignment(gpu: HardwareProfile, m: int, n: int, k: int, shared: int) -> None:
    cost = kernel_cost(Gemm(m=m, n=n, k=k, precision=precision_named("bf16")), gpu)
    launch = float(cost.launch_s) * 1e6
    aligned = _lifted(formulas.gemm_us(gpu, m, n, k), cost, gpu) - launch
    bulk = gpu.generation == "hopper"
    found = formulas.misaligned_us(gpu, aligned, m, n, k, shared=shared, bulk=bulk)
    assert _us(cost) == pytest.approx(found + launch, rel=CLOSE)


@pytest.mark.parametrize(("kept", "blocks", "marches"), [(0.5, 64, 512), (0.1, 4, 8), (0.9, 1000, 100_000)])
def test_uneven_masks(kept: float, blocks: int, marches: int) -> None:
    found = formulas.longest_over_mean(kept, blocks, marches)
    assert float(longest_over_mean(kept, blocks, marches)) == pytest.approx(found)


def _attention(phase: Phase, b: int, q: int, c: int, heads: int, kv: int, d: int) -> Attention:
    return Attention(
        phase=phase,
        batch=b,
        query_len=q,
        context_len=c,
        num_heads=heads,
        num_kv_heads=kv,
        head_dim=d,
        dtype=DType.BF16,
    )


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(("n", "k"), [(4096, 4096), (8192, 28672)])
def test_zeros_anywhere(gpu: HardwareProfile, n: int, k: int, density: float) -> None:
    for kernel, us in (
        (SparseKernel.MACKO, formulas.macko_us(gpu, n, k, density)),
        (SparseKernel.CUSPARSE, formulas.cusparse_us(gpu, n, k, density)),
    ):
        shape = UnstructuredGemm(
            m=1, n=n, k=k, density=density, precision=precision_named("fp16"), kernel=kernel
        )
        assert float(kernel_cost(shape, gpu).kernel_s) * 1e6 == pytest.approx(us)


@pytest.mark.parametrize("copies", [None, 1])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 4096, 4096), (2, 14336, 4096), (4, 28672, 8192)])
def test_groups_that_few_tokens_skip(
    gpu: HardwareProfile, m: int, n: int, k: int, copies: int | None
) -> None:
    shape = GroupGemm(
        m=m,
        n=n,
        k=k,
        kept=0.5,
        group=128,
        axis=GroupAxis.OUTPUT,
        precision=precision_named("bf16"),
        weight_copies=copies,
        kernels=GroupKernels.CUTE,
    )
    us = formulas.group_stream_us(gpu, m, n, k, 0.5, hot=copies is not None)
    if gpu.compute_capability.startswith("9"):
        us /= group_skip.PARAMETERS.defaults["triton_vector_speed"]
    cost = kernel_cost(shape, gpu)
    assert _us(cost) == pytest.approx(_lifted(us + float(cost.launch_s) * 1e6, cost, gpu))


@pytest.mark.parametrize(("m", "t", "kappa"), [(8, 16, 0.5), (100, 32, 0.3), (5000, 128, 0.9)])
def test_tiles_of_a_group(m: int, t: int, kappa: float) -> None:
    found = group_skip.expected_tiles(np.array(float(m)), np.array(kappa), np.array(float(t)))
    assert float(found) == pytest.approx(formulas.tiles_of_a_group(m, t, kappa))


@pytest.mark.parametrize("gpus", [2, 3, 8])
@pytest.mark.parametrize("message_bytes", [1024.0, 2.0**18, 2.0**22, 2.0**29])
def test_exchanges_between_gpus(gpu: HardwareProfile, message_bytes: float, gpus: int) -> None:
    for exchange, stated in (
        (Exchange.ALL_REDUCE, formulas.all_reduce_us),
        (Exchange.ALL_GATHER, formulas.all_gather_us),
    ):
        cost = kernel_cost(Collective(message_bytes=message_bytes, gpus=gpus, exchange=exchange), gpu)
        assert _us(cost) == pytest.approx(_lifted(stated(gpu, message_bytes, gpus), cost, gpu), rel=1e-9)
