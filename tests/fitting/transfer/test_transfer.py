"""Learning from several GPUs: the joint fit finds what made the samples, and the pool what they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infersim.cost.parameters import DEFAULTS
from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.fits.kind_fit import log_latency, with_kind
from infersim.fitting.fits.recipes import recipes
from infersim.fitting.transfer.joint_fit import MeasuredGpu
from infersim.fitting.transfer.left_out import LeftOutErrors, PooledGpu, left_out_interval
from infersim.fitting.transfer.pooling import known_range, pool_fits
from infersim.fitting.transfer.spreads import LATENCIES
from infersim.fitting.transfer.surrogate import LARGEST_OPERAND, ROWS, surrogate_samples
from infersim.profile_files.pool_files import read_pool, write_pool
from infersim.profile_files.profiles import datasheet_alone, load_profile
from infersim.transfer.borrowing import transferred_fit
from infersim.transfer.gpu_facts import facts_of
from infersim.transfer.pool import Pool

KIND = "attention.decode"
GPUS = ("a100-sxm-80gb", "h100-sxm", "l40s")
RANGES = {
    "batch": (1.0, 256.0),
    "query_len": (1.0, 1.0),
    "context_len": (16.0, 65536.0),
    "num_heads": (1.0, 64.0),
    "num_kv_heads": (1.0, 8.0),
    "head_dim": (64.0, 128.0),
}


def known_gpu(name: str, **changed: float) -> HardwareProfile:
    """A GPU whose fit is the defaults but for what is `changed`, latencies in cycles of 1900 MHz."""
    profile = datasheet_alone(load_profile(name))
    slower = 1900.0 / profile.chip.clock_max_mhz
    values = {
        parameter: value * slower if parameter in LATENCIES else value
        for parameter, value in {**DEFAULTS[KIND], **changed}.items()
    }
    kind = KindFit(
        kind=KIND,
        parameters=values,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={"short": 0.1, "long": 0.1}, pair=0.05, outside=0.3),
        ranges=RANGES,
        rows=100,
        weight_copies=1,
    )
    fit = Fit(gpu=name, kinds={KIND: kind}, provenance={"source": "invented"})
    return replace(profile, fit=fit, calibration=Calibration.FITTED)


@pytest.fixture(scope="module")
def pooled() -> Pool:
    return pool_fits([known_gpu(name, launch_us=12.0, dram_efficiency=0.7) for name in GPUS])


def test_a_surrogate_says_what_the_fit_predicts() -> None:
    profile = known_gpu("h100-sxm")
    samples = surrogate_samples(profile, KIND)
    assert len(samples) == ROWS
    np.testing.assert_allclose(np.log(samples["latency_us"]), log_latency(profile, samples))
    assert (samples["num_heads"] % samples["num_kv_heads"] == 0).all()


def test_surrogates_of_gemms_are_of_sizes_that_one_would_time() -> None:
    profile = load_profile("l40s")
    samples = surrogate_samples(profile, "gemm.bf16")
    assert (samples["m"] * samples[["n", "k"]].max(axis=1) <= LARGEST_OPERAND).all()
    assert (samples[["n", "k"]] % 32 == 0).all(axis=None)


def test_what_all_gpus_share_is_found_on_each_and_expected_of_others(pooled: Pool) -> None:
    launch = pooled.kinds[KIND].parameters["launch_us"].found
    assert launch.keys() == set(GPUS)
    for gpu, value in launch.items():
        clock_mhz = load_profile(gpu).chip.clock_max_mhz
        assert value == pytest.approx(12.0 * 1900 / clock_mhz, rel=0.08)
    new = datasheet_alone(load_profile("h200-sxm"))
    said = transferred_fit(new, pooled)
    assert said is not None
    kind = said.kinds[KIND]
    assert kind.parameters["dram_efficiency"] == pytest.approx(0.7, rel=0.05)
    assert kind.transferred
    assert kind.rows == 0


def test_a_gpu_like_the_pooled_ones_is_predicted_from_them(pooled: Pool) -> None:
    truth = known_gpu("h100-pcie", launch_us=12.0, dram_efficiency=0.7)
    samples = surrogate_samples(truth, KIND)
    said = transferred_fit(truth, pooled)
    assert said is not None
    errors = log_latency(with_kind(truth, KIND, said.kinds[KIND].parameters), samples) - np.log(
        samples["latency_us"]
    )
    assert np.mean(np.abs(errors)) < 0.12
    default = log_latency(with_kind(truth, KIND, DEFAULTS[KIND]), samples) - np.log(samples["latency_us"])
    assert np.mean(np.abs(errors)) < np.mean(np.abs(default))


def test_intervals_are_no_narrower_than_those_of_the_fits(pooled: Pool) -> None:
    interval = pooled.kinds[KIND].interval
    assert all(width >= 0.1 for width in interval.by_regime.values())
    assert interval.pair >= 0.05


@pytest.mark.slow
def test_a_gpu_that_differs_is_not_known_by_the_pool_that_it_is_left_out_of() -> None:
    odd = known_gpu("b200-sxm", launch_us=30.0)
    pool = pool_fits([*(known_gpu(name, launch_us=8.0) for name in GPUS), odd])
    errors = pool.kinds[KIND].left_out["mape"]
    # Its launches are nearly four times as long as those of the others.
    assert errors["b200-sxm"] > 0.4
    alike = pool_fits([known_gpu(name, launch_us=8.0) for name in GPUS])
    assert pool.kinds[KIND].interval.by_regime["short"] > 2 * alike.kinds[KIND].interval.by_regime["short"]


def test_half_widths_count_each_gpu_once_and_scale_with_the_uncertainty() -> None:
    gpus = []
    for name in GPUS:
        profile = known_gpu(name)
        samples = surrogate_samples(profile, KIND)
        facts = facts_of(profile)
        measured = MeasuredGpu(facts=facts, measured=np.zeros(ROWS), modelled=lambda _: np.zeros(ROWS))
        gpus.append(PooledGpu(profile=profile, samples=samples, measured=measured))
    recipe = next(recipes(gpus[0].profile, gpus[0].samples))[0]
    errors = [
        LeftOutErrors(gpu=name, errors=np.full(ROWS, error), deviation=0.2)
        for name, error in zip(GPUS, (0.3, 0.3, 0.6), strict=True)
    ]
    near = left_out_interval(recipe, gpus, errors, 0.2)
    # sqrt of the mean of 0.3^2, 0.3^2, 0.6^2, each with the fits' own 0.1 in quadrature.
    assert near.by_regime["short"] == pytest.approx(((0.09 + 0.09 + 0.36) / 3 + 0.01) ** 0.5)
    # Errors that all kernels of a GPU share cancel in ratios: the fits' own 0.05 is left.
    assert near.pair == pytest.approx(0.05)
    far = left_out_interval(recipe, gpus, errors, 0.4)
    for name, width in near.by_regime.items():
        assert far.by_regime[name] == pytest.approx(2 * width)


def test_a_range_is_known_where_two_gpus_were_sampled() -> None:
    assert known_range([(1.0, 64.0), (16.0, 128.0), (2.0, 256.0)]) == (2.0, 128.0)


def test_a_pool_is_read_as_it_was_written(pooled: Pool, tmp_path: Path) -> None:
    write_pool(pooled, tmp_path / "pool.json")
    again = read_pool(tmp_path / "pool.json")
    assert again.gpus.keys() == pooled.gpus.keys()
    said, said_again = (transferred_fit(load_profile("l4"), pool) for pool in (pooled, again))
    assert said is not None
    assert said_again is not None
    before, after = said.kinds[KIND].parameters, said_again.kinds[KIND].parameters
    assert after == pytest.approx(before, rel=1e-4)


def test_one_fit_is_no_pool() -> None:
    with pytest.raises(InvalidValueError, match="at least two GPUs"):
        pool_fits([known_gpu("l40s")])


def test_a_gpu_without_a_fit_of_its_own_cannot_be_pooled() -> None:
    with pytest.raises(InvalidValueError, match="fit of its own"):
        pool_fits([known_gpu("l40s"), datasheet_alone(load_profile("l4"))])
