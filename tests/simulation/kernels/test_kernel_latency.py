"""`gemm_latency` and `attention_latency`: arrays, floors, reasons and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.domain.costs import LIMITERS, Latency
from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.errors import InvalidValueError, UnknownNameError, UnsupportedError
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import list_profiles, load_profile
from infersim.simulation.kernels.attention import attention_latency
from infersim.simulation.kernels.gemm import gemm_latency

H100 = "h100-sxm"


def check(found: Latency, extent: tuple[int, ...]) -> None:
    """What holds for every kernel."""
    assert np.shape(found.latency_s) == extent
    assert np.isfinite(found.latency_s).all()
    assert (found.floor_s >= 0).all()
    assert (found.lower_s >= found.floor_s).all()
    assert (found.lower_s <= found.latency_s).all()
    assert (found.upper_s >= found.latency_s).all()
    np.testing.assert_allclose(sum(found.parts.values()), found.latency_s)
    assert set(np.ravel(found.limiter)) <= {limiter.value for limiter in LIMITERS}


def precisions_of(profile: HardwareProfile) -> list[str]:
    return [name for name, precision in PRECISIONS.items() if precision.math in profile.matrix]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_gemm_beats_its_floor(data: st.DataObject) -> None:
    profile = load_profile(data.draw(st.sampled_from(list_profiles())))
    found = gemm_latency(
        profile,
        data.draw(st.integers(1, 2**18)),
        data.draw(st.integers(1, 2**16)),
        data.draw(st.integers(1, 2**16)),
        dtype=data.draw(st.sampled_from(precisions_of(profile))),
        sparsity=data.draw(st.sampled_from([None, "2:4"])),
        weight_copies=data.draw(st.sampled_from([None, 1, 6, 100])),
    )
    check(found, ())


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_attention_beats_its_floor(data: st.DataObject) -> None:
    profile = load_profile(data.draw(st.sampled_from(list_profiles())))
    phase = data.draw(st.sampled_from(["prefill", "decode"]))
    kv_heads = data.draw(st.integers(1, 16))
    context = data.draw(st.integers(1, 2**17))
    found = attention_latency(
        profile,
        phase=phase,
        batch=data.draw(st.integers(1, 256)),
        query_len=data.draw(st.integers(1, context)) if phase == "prefill" else 1,
        context_len=context,
        num_heads=kv_heads * data.draw(st.integers(1, 8)),
        num_kv_heads=kv_heads,
        head_dim=data.draw(st.sampled_from([64, 80, 96, 128, 256])),
        dtype="bf16" if DType.BF16 in profile.matrix else "fp16",
    )
    check(found, ())


def test_arrays_broadcast_and_agree_with_single_shapes() -> None:
    m, n = np.array([[1], [300], [4096]]), np.array([4096, 14336])
    found = gemm_latency(H100, m, n, 4096)
    check(found, (3, 2))
    alone = gemm_latency(H100, 300, 14336, 4096)
    assert found.latency_s[1, 1] == pytest.approx(alone.latency_s, rel=1e-6)
    assert found.floor_s[1, 1] == pytest.approx(alone.floor_s)
    assert float(alone.latency_s) > 0


def test_lists_and_whole_floats_are_dimensions_too() -> None:
    check(gemm_latency(H100, [1, 2], 64.0, 64), (2,))
    check(
        attention_latency(
            H100,
            phase="decode",
            batch=[1, 2],
            context_len=512,
            num_heads=32,
            num_kv_heads=8,
            head_dim=128,
        ),
        (2,),
    )


def test_the_floor_of_a_gemm_by_hand() -> None:
    profile = load_profile(H100)
    # 4096 SM-FLOP a clock at 1.98 GHz on 132 SMs bound a large GEMM...
    large = gemm_latency(profile, 8192, 8192, 8192)
    assert large.floor_s == pytest.approx(2 * 8192**3 / (4096 * 132 * 1.98e9))
    # ... and bytes a narrow one at 3.35 TB/s: hot A + W + O less the 50 MB of L2...
    hot = gemm_latency(profile, 1, 65536, 8192, weight_copies=6)
    moved = 2 * (8192 + 65536 * 8192 + 65536) - profile.chip.l2_bytes
    assert hot.floor_s == pytest.approx(moved / 3.35e12)
    # ... and all of a cold W, whose few activations stay in L2.
    cold = gemm_latency(profile, 1, 65536, 8192)
    assert cold.floor_s == pytest.approx(2 * 65536 * 8192 / 3.35e12)


def test_a_cold_gemm_reads_its_weights_whatever_l2_holds() -> None:
    cold = gemm_latency("a100-sxm-80gb", 1, 4096, 4096)
    assert cold.floor_s == pytest.approx(2 * 4096 * 4096 / 2.039e12)
    # The vectors around the matrix are a two-thousandth of it.
    assert cold.floor_s == pytest.approx(2 * (4096 * 4096 + 4096 + 4096) / 2.039e12, rel=1e-3)
    # 26.6 us with launch, as they were measured with weights too many for L2.
    assert 1.2 < cold.latency_s / cold.floor_s < 2
    # 33.6 MB fit into the 40 MB of L2: hot, only its FLOPs take time, 2048 a clock and SM.
    hot = gemm_latency("a100-sxm-80gb", 1, 4096, 4096, weight_copies=1)
    assert hot.floor_s == pytest.approx(2 * 4096 * 4096 / (2048 * 108 * 1.41e9))


def test_activations_of_a_cold_gemm_may_be_in_l2() -> None:
    """The op before has just written them; beyond L2 they are traffic."""
    profile = load_profile("a100-sxm-80gb")
    small, large = gemm_latency(profile, [1024, 2**20], 64, 64).floor_s
    weights, activations = 2 * 64 * 64, 2 * 2**20 * (64 + 64)
    assert small < 2 * (1024 * 128 + 64 * 64) / 2.039e12
    assert large == pytest.approx((weights + activations - profile.chip.l2_bytes) / 2.039e12)


def _attention(gpu: str, phase: str, batch: int, context: list[int], copies: int | None) -> Latency:
    """32 query heads over 8 KV heads of 128."""
    return attention_latency(
        gpu,
        phase=phase,
        batch=batch,
        context_len=context,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        kv_copies=copies,
    )


def test_a_cold_cache_is_read_whole_and_a_hot_one_beyond_l2() -> None:
    profile = load_profile("a100-sxm-80gb")
    hot, cold = (_attention("a100-sxm-80gb", "decode", 8, [1024, 8192], copies) for copies in (1, None))
    cache = 2 * 8 * np.array([1024, 8192]) * 8 * 128 * 2  # 33.6 and 268 MB
    np.testing.assert_allclose(cold.floor_s, cache / 2.039e12)
    queries = 2 * 8 * 32 * 128 * 2
    flop_s = 4 * 8 * 32 * 1024 * 128 / profile.bound_flop_per_s(DType.BF16)
    expected = [flop_s, (cache[1] + queries - profile.chip.l2_bytes) / 2.039e12]
    np.testing.assert_allclose(hot.floor_s, expected)
    assert (cold.latency_s >= cold.floor_s).all()


def test_prefill_attention_finds_what_was_just_written() -> None:
    hot, cold = (_attention(H100, "prefill", 1, [128, 4096], copies) for copies in (1, None))
    np.testing.assert_array_equal(hot.floor_s, cold.floor_s)


def test_a_large_gemm_is_bound_by_compute_and_a_vector_by_memory() -> None:
    assert gemm_latency(H100, 8192, 8192, 8192).limiter == "compute"
    assert gemm_latency(H100, 1, 28672, 8192).limiter == "memory bandwidth"


def test_prefill_attention_reads_the_whole_prompt_unless_told() -> None:
    sizes: dict[str, Any] = {"batch": 1, "num_heads": 32, "num_kv_heads": 8, "head_dim": 128}
    whole = attention_latency(H100, phase="prefill", context_len=4096, **sizes)
    told = attention_latency(H100, phase="prefill", context_len=4096, query_len=4096, **sizes)
    part = attention_latency(H100, phase="prefill", context_len=4096, query_len=1024, **sizes)
    assert whole.latency_s == told.latency_s
    assert part.latency_s < whole.latency_s


def test_two_of_four_moves_fewer_bytes_and_hot_weights_none() -> None:
    cold = gemm_latency("rtx-4090", 16, 4096, 4096)
    sparse = gemm_latency("rtx-4090", 16, 4096, 4096, sparsity="2:4")
    hot = gemm_latency("rtx-4090", 16, 4096, 4096, weight_copies=1)
    assert sparse.parts["kernel"] < cold.parts["kernel"]
    assert hot.latency_s < cold.latency_s


def test_zeros_anywhere_gain_by_their_own_kernel_only() -> None:
    sizes: dict[str, Any] = {"gpu": "rtx-4090", "m": [1, 64], "n": 14336, "k": 4096, "dtype": "fp16"}
    whole = gemm_latency(**sizes)
    by_kernel = {
        kernel: gemm_latency(**sizes, sparsity=0.5, sparse_kernel=kernel).latency_s
        for kernel in ("macko", "cusparse", "dense")
    }
    assert list(by_kernel["macko"] < whole.latency_s) == [True, False]
    assert list(by_kernel["macko"] < by_kernel["cusparse"]) == [True, True]
    assert list(by_kernel["dense"]) == list(whole.latency_s)


@pytest.mark.parametrize("bad", [0, -1, 1.5, float("nan"), float("inf"), 10**12, "64", True, [64, 0], []])
@pytest.mark.parametrize("name", ["m", "n", "k"])
def test_impossible_dimensions_are_told(name: str, bad: object) -> None:
    dimensions: dict[str, Any] = {"m": 64, "n": 64, "k": 64} | {name: bad}
    with pytest.raises(InvalidValueError, match=f"^{name} = "):
        gemm_latency(H100, **dimensions)


def test_dimensions_that_do_not_broadcast_are_told() -> None:
    with pytest.raises(InvalidValueError, match="broadcast"):
        gemm_latency(H100, [1, 2], [64, 64, 64], 64)
    ragged: Any = [[1], [2, 3]]
    with pytest.raises(InvalidValueError, match="an array of them"):
        gemm_latency(H100, ragged, 64, 64)


def test_a_kernel_of_hours_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"t4.*\bhour"):
        gemm_latency("t4", 2**20, 2**20, 2**20, dtype="fp16")


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"phase": "train"}, UnknownNameError, "known: decode, prefill"),
        ({"dtype": "w4a16"}, UnknownNameError, "'w4a16'"),
        ({"dtype": "fp4"}, UnsupportedError, "fp4"),
        ({"num_kv_heads": 5}, InvalidValueError, "num_kv_heads = 5.0"),
        ({"query_len": 2}, InvalidValueError, "query_len = 2.0"),
        ({"phase": "prefill", "query_len": 4097}, InvalidValueError, "context_len = 4096"),
        ({"head_dim": 0}, InvalidValueError, "head_dim = 0"),
        ({"batch": 1.5}, InvalidValueError, "batch = 1.5"),
    ],
)
def test_impossible_attention_is_told(changes: dict[str, Any], error: type[Exception], told: str) -> None:
    arguments: dict[str, Any] = {
        "phase": "decode",
        "batch": 1,
        "context_len": 4096,
        "num_heads": 32,
        "num_kv_heads": 8,
        "head_dim": 128,
    }
    with pytest.raises(error) as caught:
        attention_latency(H100, **(arguments | changes))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"dtype": "bf16 "}, UnknownNameError, "did you mean bf16"),
        ({"dtype": "fp8", "gpu": "a100-sxm-80gb"}, UnsupportedError, "a100-sxm-80gb"),
        ({"sparsity": "4:8"}, InvalidValueError, "sparsity = '4:8'"),
        ({"sparsity": 1.0}, InvalidValueError, "a fraction between 0 and 1"),
        ({"sparsity": 0.5, "weight_copies": 2}, InvalidValueError, "predicted cold"),
        ({"sparsity": 0.5, "sparse_kernel": "mako"}, UnknownNameError, "did you mean macko"),
        ({"sparse_kernel": "cusparse"}, InvalidValueError, "none without a sparsity that is a fraction"),
        ({"sparsity": "2:4", "sparse_kernel": "dense"}, InvalidValueError, "sparse_kernel = 'dense'"),
        ({"weight_copies": 0}, InvalidValueError, "weight_copies = 0"),
        ({"gpu": "h101-sxm"}, UnknownNameError, "did you mean h100-sxm"),
    ],
)
def test_what_no_gemm_can_be_is_told(changes: dict[str, Any], error: type[Exception], told: str) -> None:
    arguments: dict[str, Any] = {"gpu": H100, "m": 64, "n": 64, "k": 64}
    with pytest.raises(error) as caught:
        gemm_latency(**(arguments | changes))
    assert told in str(caught.value)


def test_many_shapes_cost_what_each_costs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    m, n = np.arange(1, 12)[:, None], np.array([1024, 4096, 11008])
    batch, context = np.array([1, 8])[:, None, None], np.arange(100, 2000, 300)
    heads = np.array([[8], [32]])

    def both() -> tuple[Latency, Latency]:
        gemms = gemm_latency(H100, m, n, 2048, dtype="fp8")
        attention = attention_latency(
            H100,
            phase="decode",
            batch=batch,
            context_len=context,
            num_heads=heads,
            num_kv_heads=8,
            head_dim=128,
        )
        return gemms, attention

    wholes = both()
    monkeypatch.setattr("infersim.simulation.speedups.stretches.STRETCH", 5)
    for whole, parted in zip(wholes, both(), strict=True):
        assert parted.latency_s.shape == whole.latency_s.shape
        for name in ("latency_s", "lower_s", "upper_s", "floor_s"):
            np.testing.assert_allclose(getattr(parted, name), getattr(whole, name), rtol=1e-12)
        np.testing.assert_array_equal(parted.limiter, whole.limiter)
        np.testing.assert_array_equal(parted.in_range, whole.in_range)
        assert parted.parts.keys() == whole.parts.keys()
        np.testing.assert_allclose(parted.parts["launch"], whole.parts["launch"], rtol=1e-12)
