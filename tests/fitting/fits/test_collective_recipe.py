"""Exchanges as samples: fitted from what known parameters take, told apart by link and library."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collective_tables import latest_versions
from infersim.cost.kernels import kernel_cost
from infersim.domain.errors import InfersimError
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.domain.shapes import Collective, Exchange
from infersim.fitting.calibration import calibrate
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import datasheet_alone, load_profile

BARE = datasheet_alone(load_profile("h100-sxm"))
TRUE = {
    "launch_us": 5.0,
    "hop_us": 0.8,
    "efficiency": 0.6,
    "doubling": 1.2,
    "flagged_share": 0.4,
    "filled_steps": 8.0,
}


def knowing(profile: HardwareProfile, kind: str) -> HardwareProfile:
    """The profile with TRUE for one exchange."""
    fit = KindFit(
        kind=kind,
        parameters=TRUE,
        uncertainties={},
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={}, pair=0.1, outside=0.1),
        ranges={},
        rows=0,
    )
    whole = Fit(gpu=profile.name, kinds={kind: fit}, provenance={})
    return replace(profile, fit=whole, calibration=Calibration.FITTED)


def samples(gpu: HardwareProfile, exchange: Exchange, library: str | None) -> pd.DataFrame:
    """What an exchange of many sizes takes on `gpu`."""
    rows = []
    for gpus in (2, 4, 8):
        sizes = 2.0 ** np.arange(10, 29)
        cost = kernel_cost(
            Collective(message_bytes=sizes, gpus=gpus, exchange=exchange, library=library), gpu
        )
        rows.append(
            pd.DataFrame(
                {"message_bytes": sizes, "latency_us": 1e6 * (cost.kernel_s + cost.launch_s)}
            ).assign(gpu=gpu.name, kind="collective", exchange=exchange.value, gpus=gpus, library=library)
        )
    return pd.concat(rows, ignore_index=True)


def test_a_ring_is_found_again() -> None:
    frame = samples(knowing(BARE, "all_gather.nvlink"), Exchange.ALL_GATHER, "nccl")
    fitted = calibrate(BARE, frame)
    assert fitted.fit is not None
    (found,) = fitted.fit.kinds.values()
    assert found.kind == "all_gather.nvlink"
    for name, value in TRUE.items():
        assert found.parameters[name] == pytest.approx(value, rel=0.05), name
    assert found.ranges == {"message_bytes": (1024, 2**28), "gpus": (2, 8)}
    judged = validate(fitted, frame)
    assert judged.errors["mape"].max() < 0.01


def test_pairs_over_a_bridge_and_more_over_pcie_have_fits_of_their_own() -> None:
    bridged = datasheet_alone(load_profile("a100-pcie-80gb"))
    frame = samples(bridged, Exchange.REDUCE_SCATTER, "nccl")
    fitted = calibrate(bridged, frame)
    assert fitted.fit is not None
    assert {name: kind.rows for name, kind in fitted.fit.kinds.items()} == {
        "reduce_scatter.nvlink": 19,
        "reduce_scatter.pcie": 38,
    }


def test_an_engines_all_reduce_is_not_the_librarys() -> None:
    frame = pd.concat([samples(BARE, Exchange.ALL_REDUCE, name) for name in (None, "nccl")])
    fitted = calibrate(BARE, frame)
    assert fitted.fit is not None
    assert set(fitted.fit.kinds) == {"all_reduce.nvlink", "nccl_all_reduce.nvlink"}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("exchange", "broadcast", "one of all_reduce, all_gather"),
        ("gpus", 1, "at least 2: one GPU exchanges nothing"),
        ("message_bytes", 0, "a whole number from 1"),
        ("library", "gloo", "nccl, or empty for an engine's own kernels"),
    ],
)
def test_rows_that_are_no_exchange_are_named(column: str, value: Any, said: str) -> None:
    frame = samples(BARE, Exchange.ALL_GATHER, "nccl").astype({column: object})
    frame.loc[3, column] = value
    with pytest.raises(InfersimError, match=said):
        read_samples(frame)


def test_more_gpus_than_a_node_has_cannot_have_been_measured() -> None:
    frame = samples(BARE, Exchange.ALL_GATHER, "nccl").assign(gpus=16)
    with pytest.raises(InfersimError, match="gpus = 16; expected at most 8"):
        calibrate(BARE, frame)


def test_a_release_is_later_than_its_candidates() -> None:
    versions = ["1.3.0rc9", "1.3.0", "1.3.0rc20", "1.2.9"]
    table = pd.DataFrame({"library": "trtllm", "version": versions})
    assert latest_versions(table) == {"trtllm": "1.3.0"}
    assert latest_versions(table[table["version"] != "1.3.0"]) == {"trtllm": "1.3.0rc20"}
