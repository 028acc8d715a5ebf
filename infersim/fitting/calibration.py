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
from infersim.fitting.samples.timing import as_in_a_graph
from infersim.fitting.samples.unit_check import check_against_floor
from infersim.profile_files.fit_format import recordable
from infersim.profile_files.profiles import a_profile, completed, datasheet_alone, kernels_named


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


@checked(gpu=a_profile, samples=a_frame_or(a_path), kernels=kernels_named, provenance=recordable)
def calibrate(
    gpu: HardwareProfile | str | Path,
    samples: pd.DataFrame | str | Path,
    *,
    kernels: str | None = None,
    **provenance: Any,
) -> HardwareProfile:
    """Fit the cost model to measured samples of one GPU.

    Only the kinds that `samples` holds are fitted, and the board's power where a column `power_w` says what
    it drew; other kinds of the profile's own fit are kept. What other GPUs' fits say is the prior; a profile
    without any fit (`datasheet_alone`) has none.

    Parameters
    ----------
    gpu
        A profile, a name or a `.toml` path.
    samples
        A frame or file in the samples format; latencies in microseconds.
    kernels
        The engine whose kernels were measured; its fits stand beside those of other engines.
    **provenance
        Driver, source, ...: recorded in the fit.

    Returns
    -------
    HardwareProfile
        The profile with its new fit.

    Raises
    ------
    BadSamplesError
        For bad rows.
    WrongUnitError
        Where latencies cannot be microseconds.
    InvalidValueError
        For samples of another GPU.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> samples = pd.DataFrame({"kind": "launch", "latency_us": [4.9, 5.0, 5.1]})
    >>> sim.calibrate("l40s", samples, source="mine").fit.kinds["launch"].parameters["host_us"]
    5.0
    """
    profile = a_profile("gpu", gpu)
    frame = read_samples(samples, defaults={"gpu": profile.name}).frame
    strangers = sorted(set(frame["gpu"]) - {profile.name})
    if strangers:
        raise InvalidValueError("samples.gpu", ", ".join(strangers), f"samples of {profile.name} only")
    check_against_floor(frame, profile)
    record_of = identity(frame)
    frame = as_in_a_graph(frame)
    if kernels is not None:
        profile = profile.with_kernels(kernels)
    own, prior = _own_fit(profile, kernels), _prior(profile)
    kinds = {} if own is None else dict(own.kinds)
    fitted: dict[str, KindFit] = {}
    for recipe, rows in recipes(profile, frame):
        built_on = replace(profile, fit=Fit(gpu=profile.name, kinds=kinds, provenance={}))
        kinds[recipe.kind] = fit_kind(built_on, rows, recipe, prior.get(recipe.kind))
        fitted[recipe.kind] = kinds[recipe.kind]
    launches = frame[frame["kind"] == Kind.LAUNCH]
    if len(launches):
        fitted["launch"] = fit_launch(launches)
    metered = metered_rows(frame, profile)
    if len(metered):
        built_on = replace(profile, fit=Fit(gpu=profile.name, kinds=kinds, provenance={}))
        fitted[POWER.name] = fit_power(built_on, metered)
    if not fitted:
        raise InvalidValueError("samples", "no rows", "at least one measured kernel")
    record = {
        "fitted": list(fitted),
        "samples": record_of,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **provenance,
    }
    known = Fit(gpu=profile.name, kinds={}, provenance={}) if own is None else own
    fit = replace(known, kinds={**prior, **known.kinds}).with_kinds(fitted, kernels)
    fit = replace(fit, provenance=_recorded(known, record, fit.kernels))
    return replace(profile, fit=fit, calibration=Calibration.FITTED, fit_source=None)


def _recorded(known: Fit, record: dict[str, Any], kernels: str | None) -> dict[str, Any]:
    """What a fit says of where its samples came from: the default kernel set's record, others by name."""
    others = dict(known.provenance.get("kernel_sets", {}))
    if kernels is None or known.default_kernels in (None, kernels):
        return record | ({"kernel_sets": others} if others else {})
    return {**known.provenance, "kernel_sets": others | {kernels: record}}


def _own_fit(profile: HardwareProfile, kernels: str | None) -> Fit | None:
    """What was measured on this GPU before, with the kernels of `kernels` in force."""
    if profile.fit is None or profile.calibration is not Calibration.FITTED:
        return None
    kinds = {name: kind for name, kind in profile.fit.kinds.items() if not kind.transferred}
    return replace(profile.fit, kinds=kinds).run_by(kernels)


def _prior(profile: HardwareProfile) -> Mapping[str, KindFit]:
    """What other GPUs say: what was transferred to the profile, else the shipped pool; nothing where bare."""
    if profile.fit is None:
        return {}
    if profile.calibration is Calibration.TRANSFERRED:
        return profile.fit.kinds
    said = completed(datasheet_alone(profile)).fit
    return {} if said is None else said.kinds
