"""Expert layers as samples: read, checked, fitted from what known parameters take, and validated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infersim.cost.experts.parameters import EXPERTS_PARAMETERS
from infersim.cost.kernels import kernels_of
from infersim.domain.errors import InfersimError
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Experts
from infersim.fitting.calibration import calibrate
from infersim.fitting.calibration_rows import held_out_rows
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.shapes import kernel_shapes
from infersim.fitting.samples.writing import write_samples
from infersim.fitting.transfer.surrogate import poolable, surrogate_samples
from infersim.fitting.validation.predictions import predict_samples
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import datasheet_alone, load_profile

BARE = datasheet_alone(load_profile("h100-sxm"))
TRUE = {**EXPERTS_PARAMETERS.defaults, "launch_us": 40.0, "dram_efficiency": 0.6, "efficiency": 0.5}
RANGES = {
    "tokens": (1.0, 16384.0),
    "hidden": (1024.0, 8192.0),
    "width": (64.0, 8192.0),
    "num_experts": (8.0, 256.0),
    "local_experts": (1.0, 256.0),
    "top_k": (1.0, 8.0),
}
ROW = {
    "gpu": "h100-sxm",
    "kind": "moe",
    "dtype": "bf16",
    "tokens": 64,
    "hidden_size": 2048,
    "ffn_width": 768,
    "num_experts": 128,
    "top_k": 8,
    "latency_us": 300.0,
}


def knowing() -> HardwareProfile:
    """The profile with TRUE for expert layers in bf16."""
    kind = KindFit(
        kind="experts.bf16",
        parameters=TRUE,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={}, pair=0.1, outside=0.1),
        ranges=RANGES,
        rows=0,
        weight_copies=1,
    )
    fit = Fit(gpu=BARE.name, kinds={kind.kind: kind}, provenance={})
    return replace(BARE, fit=fit, calibration=Calibration.FITTED)


def layers(rows: int) -> pd.DataFrame:
    """Layers of many sizes, with what they take on the known GPU."""
    samples = surrogate_samples(knowing(), "experts.bf16").iloc[:rows].reset_index(drop=True)
    return samples.assign(gated=True)


@pytest.fixture(scope="module")
def calibrated() -> HardwareProfile:
    """The bare GPU, calibrated on such layers."""
    return calibrate(BARE, layers(120), kernels="vllm")


@pytest.mark.slow
def test_known_parameters_are_found_again(calibrated: HardwareProfile) -> None:
    assert calibrated.fit is not None
    found = calibrated.fit.kinds["experts.bf16"]
    assert found.parameters["launch_us"] == pytest.approx(40, rel=0.2)
    assert found.parameters["dram_efficiency"] == pytest.approx(0.6, rel=0.1)
    (shape,) = (shape for _, shape in kernel_shapes(layers(1)))
    assert kernels_of(shape, calibrated) == found.kernels == "vllm"
    assert found.weight_copies == 1
    assert set(found.ranges) == set(RANGES)
    assert poolable(found)


@pytest.mark.slow
def test_layers_that_were_not_fitted_are_predicted(calibrated: HardwareProfile) -> None:
    others = layers(400).iloc[120:].reset_index(drop=True)
    errors = validate(calibrated, others).errors
    whole = errors[errors["division"] == "all"].iloc[0]
    assert (whole["kind"], whole["dtype"]) == ("moe", "bf16")
    assert whole["mape"] < 0.05
    assert {"tokens", "routing"} <= set(errors["division"])


def test_samples_keep_what_was_run(tmp_path: Path) -> None:
    row = ROW | {"tensor_parallel": 2, "gated": False, "routing": "power_law_1.2", "weight_copies": 1}
    written = read_samples(pd.DataFrame([ROW, row]))
    write_samples(written.frame, tmp_path / "layers.parquet")
    frame = read_samples(tmp_path / "layers.parquet").frame
    shapes = [shape for _, shape in kernel_shapes(frame) if isinstance(shape, Experts)]
    plain, other = sorted(shapes, key=lambda shape: not shape.gated)
    assert [np.asarray(shape.width).item() for shape in (plain, other)] == [768, 384]
    assert (plain.dealt, plain.skew, plain.weight_copies) == (True, 0.0, None)
    assert (other.dealt, other.skew, other.weight_copies) == (False, 1.2, 1)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"top_k": 129}, "top_k = "),
        ({"expert_parallel": 3}, "expert_parallel = "),
        ({"tensor_parallel": 5}, "tensor_parallel = "),
        ({"routing": "even"}, "routing = "),
        ({"dtype": "fp7"}, "dtype = "),
        ({"tokens": 0}, "tokens = "),
    ],
)
def test_layers_that_cannot_be_are_refused(changed: dict[str, object], named: str) -> None:
    with pytest.raises(InfersimError, match=named):
        read_samples(pd.DataFrame([ROW | changed]))


def test_whole_layers_are_held_out() -> None:
    frame = pd.concat(
        [layers(40), layers(40).assign(tokens=lambda rows: rows["tokens"] + 1)], ignore_index=True
    )
    held = held_out_rows(frame, 0.3, 0)
    kept, left = (
        frame[mask].groupby(["hidden_size", "ffn_width", "num_experts", "top_k"]).size()
        for mask in (~held, held)
    )
    assert not kept.index.isin(left.index).any()


def test_a_power_law_is_slower_and_a_hot_layer_faster() -> None:
    row = ROW | {"tokens": 4096, "weight_copies": 1}
    rows = pd.DataFrame([row, row | {"routing": "power_law_1.2"}])
    even, uneven = predict_samples(rows, knowing())["predicted_us"]
    assert uneven > even
    small = ROW | {"num_experts": 8, "top_k": 1, "expert_parallel": 8}
    cold, hot = predict_samples(pd.DataFrame([small, small | {"weight_copies": 1}]), knowing())[
        "predicted_us"
    ]
    assert hot < cold
    assert np.isfinite([cold, hot]).all()
