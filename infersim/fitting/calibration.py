"""Calibration: samples in, a profile with a fit out; what a launch costs the host is part of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infersim.cost.energy import POWER
from infersim.domain.arguments import a_path, checked
from infersim.domain.errors import InvalidValueError
from infersim.domain.fit import Fit, IntervalFit, KindFit
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.files.frames import a_frame_or
from infersim.fitting.fits.intervals import conformal_quantile
from infersim.fitting.fits.kind_fit import fit_kind
from infersim.fitting.fits.power_fit import fit_power, metered_rows
from infersim.fitting.fits.recipes import recipes
from infersim.fitting.samples.identity import identity
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.schema import Kind
from infersim.fitting.samples.unit_check import check_against_floor
from infersim.profile_files.fit_format import recordable
from infersim.profile_files.profiles import a_profile, completed, datasheet_alone


def fit_launch(samples: pd.DataFrame) -> KindFit:
    """`host_us` from empty kernels issued one after the other without a CUDA graph.

    `latency_us` covers `kernels` of them (one where not said).
    """
    kernels = samples["kernels"].fillna(1.0) if "kernels" in samples.columns else 1.0
    each_us = (samples["latency_us"] / kernels).to_numpy(dtype=np.float64)
    median = float(np.median(each_us))
    errors = np.log(each_us / median)
    width = conformal_quantile(errors)
    return KindFit(
        kind="launch",
        parameters={"host_us": median},
        uncertainties={
            "host_us": float(np.std(each_us) / np.sqrt(len(each_us))) if len(each_us) > 1 else None
        },
        at_bound=(),
        residuals=(),
        interval=IntervalFit(by_regime={"all": width}, pair=width, outside=width),
        ranges={},
        rows=len(samples),
    )


@checked(gpu=a_profile, samples=a_frame_or(a_path), provenance=recordable)
def calibrate(
    gpu: HardwareProfile | str | Path, samples: pd.DataFrame | str | Path, **provenance: Any
) -> HardwareProfile:
    """Fit the cost model to measured samples of one GPU.

    `gpu` is a profile, a name or a .toml path; `samples` a frame or file in the samples format (latencies in
    microseconds). Only the kinds that `samples` holds are fitted, and the board's power where a column
    `power_w` says what it drew; other kinds of the profile's own fit are kept. What other GPUs' fits say is
    the prior; a profile without any fit (`datasheet_alone`) has none.
    `provenance` (driver, source, ...) is recorded in the fit. Raises BadSamplesError for bad rows,
    WrongUnitError where latencies cannot be microseconds, and InvalidValueError for samples of another GPU.
    """
    profile = a_profile("gpu", gpu)
    frame = read_samples(samples, defaults={"gpu": profile.name}).frame
    strangers = sorted(set(frame["gpu"]) - {profile.name})
    if strangers:
        raise InvalidValueError("samples.gpu", ", ".join(strangers), f"samples of {profile.name} only")
    check_against_floor(frame, profile)
    kinds, prior = _own_kinds(profile), _prior(profile)
    fitted = []
    for recipe, rows in recipes(profile, frame):
        built_on = replace(profile, fit=Fit(gpu=profile.name, kinds=kinds, provenance={}))
        kinds[recipe.kind] = fit_kind(built_on, rows, recipe, prior.get(recipe.kind))
        fitted.append(recipe.kind)
    launches = frame[frame["kind"] == Kind.LAUNCH]
    if len(launches):
        kinds["launch"] = fit_launch(launches)
        fitted.append("launch")
    metered = metered_rows(frame, profile)
    if len(metered):
        built_on = replace(profile, fit=Fit(gpu=profile.name, kinds=kinds, provenance={}))
        kinds[POWER.name] = fit_power(built_on, metered)
        fitted.append(POWER.name)
    if not fitted:
        raise InvalidValueError("samples", "no rows", "at least one measured kernel")
    record = {
        "fitted": fitted,
        "samples": identity(frame),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **provenance,
    }
    fit = Fit(gpu=profile.name, kinds={**prior, **kinds}, provenance=record)
    return replace(profile, fit=fit, calibration=Calibration.FITTED, fit_source=None)


def _own_kinds(profile: HardwareProfile) -> dict[str, KindFit]:
    """What was measured on this GPU before."""
    if profile.fit is None or profile.calibration is not Calibration.FITTED:
        return {}
    return {name: kind for name, kind in profile.fit.kinds.items() if not kind.transferred}


def _prior(profile: HardwareProfile) -> Mapping[str, KindFit]:
    """What other GPUs say: what was transferred to the profile, else the shipped pool; nothing where bare."""
    if profile.fit is None:
        return {}
    if profile.calibration is Calibration.TRANSFERRED:
        return profile.fit.kinds
    said = completed(datasheet_alone(profile)).fit
    return {} if said is None else said.kinds
