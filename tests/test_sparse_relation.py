"""The relation of 2:4 to dense GEMMs, recovered from speedups that were made with known parameters."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import WeightForm
from infersim.profile_files import load_profile
from sparse_relation import (
    MeasuredPairs,
    fit_relation,
    predicted_speedups,
    with_relation,
)

TRUE = {"sparse_operand_time": 0.45, "sparse_launch_us": 2.0, "weight_reread": 1.2}


def measured(gpu: str) -> MeasuredPairs:
    """Speedups on a dense model without calibration, as TRUE makes them."""
    profile: HardwareProfile = replace(load_profile(gpu), fit=None, calibration=Calibration.NONE)
    shapes = product((64, 512, 4096, 16384), (2048, 5120, 28672), (2048, 4096, 14336))
    rows = pd.DataFrame(shapes, columns=["m", "n", "k"]).assign(dtype="bf16")
    truth = with_relation(profile, TRUE, ["bf16"])
    speedup = predicted_speedups(truth, rows, 1, WeightForm.SPARSE_2_4)
    return MeasuredPairs(profile=profile, rows=rows.assign(speedup=speedup), weight_copies=1)


def test_parameters_come_back_from_the_speedups_of_one_gpu() -> None:
    assert fit_relation([measured("a100-sxm-80gb")]).values == pytest.approx(TRUE, rel=0.1)


def test_gpus_are_fitted_together() -> None:
    pairs = [measured("a100-sxm-80gb"), measured("rtx-4090")]
    found = fit_relation(pairs).values
    assert found == pytest.approx(TRUE, rel=0.1)
    related = with_relation(pairs[1].profile, found, ["bf16"])
    predicted = predicted_speedups(related, pairs[1].rows, 1, WeightForm.SPARSE_2_4)
    assert np.abs(np.log(predicted / pairs[1].rows["speedup"])).max() < 0.02
