"""The relation of 2:4 to dense GEMMs, recovered from speedups that were made with a known one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from infersim.cost.gemm.sparse_relations import PARAMETERS, Relation
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.profile_files import load_profile
from sparse_relation import START, MeasuredPairs, fit_relation, relation_values, with_values

TRUE = replace(START, rate=1.6, sparse_launch_us=2.0, weight_reread=0.8, l2_bytes_per_clock_per_sm=45.0)


def measured(gpu: str, truth: Relation) -> MeasuredPairs:
    """Speedups and dense latencies on the datasheet alone, as `truth` makes them."""
    profile: HardwareProfile = replace(load_profile(gpu), fit=None, calibration=Calibration.NONE)
    shapes = product((64, 512, 4096, 16384), (2048, 5120, 28672), (2048, 4096, 14336))
    rows = pd.DataFrame(shapes, columns=["m", "n", "k"]).assign(dtype="bf16")
    speedup, dense_us = relation_values(truth, profile, rows, 1)
    return MeasuredPairs(
        profile=profile, rows=rows.assign(speedup=speedup, dense_us=dense_us), weight_copies=1
    )


@pytest.mark.parametrize("gpus", [["a100-sxm-80gb"], ["a100-sxm-80gb", "rtx-4090"]])
def test_a_relation_comes_back_from_the_speedups_of_gpus(gpus: list[str]) -> None:
    pairs = [measured(gpu, TRUE) for gpu in gpus]
    found = with_values(fit_relation(pairs).values)
    for name in ("rate", "sparse_launch_us", "weight_reread", "l2_bytes_per_clock_per_sm"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=0.1), name
    predicted, _ = relation_values(found, pairs[-1].profile, pairs[-1].rows, 1)
    assert np.abs(np.log(predicted / pairs[-1].rows["speedup"])).max() < 0.03


def test_all_that_a_relation_says_is_fitted() -> None:
    values = fit_relation([measured("a100-sxm-80gb", START)]).values
    assert set(values) == set(PARAMETERS)
