"""`validate`: how far a profile's predictions are from measurements, and whether its intervals hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from infersim.domain.arguments import a_path, checked, one_or_several, optional, text
from infersim.domain.profile import Calibration, HardwareProfile
from infersim.files.frames import a_frame_or
from infersim.fitting.samples.identity import Overlap, overlap_with_fit
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.splits import of_kinds
from infersim.fitting.samples.unit_check import check_against_floor
from infersim.fitting.validation.error_table import error_table
from infersim.fitting.validation.predictions import predict_samples
from infersim.fitting.validation.speedup_table import speedup_table
from infersim.simulation.speedups.resolving import Gpu, a_profile, as_profile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """Predictions of one profile beside measurements.

    - `predictions`: the samples with the columns of `predict_samples`, one row each, or some of them.
    - `rows`: samples that were predicted; `outside_range`: those outside the range that was calibrated, all
      of them without a calibration.
    - `errors`: the frame of `error_table`; `speedups`: the frame of `speedup_table`.
    - `left_out`: samples that were not predicted, by reason.
    - `overlap`: whether the samples are those that were fitted, as far as that can be known.
    """

    gpu: str
    calibration: Calibration
    fit_source: str | None
    predictions: pd.DataFrame
    rows: int
    outside_range: int
    errors: pd.DataFrame
    speedups: pd.DataFrame
    left_out: Mapping[str, int]
    overlap: Overlap


@checked(
    profile=a_profile,
    samples=a_frame_or(a_path),
    kinds=optional(one_or_several(text, at_least=0)),
)
def validate(
    profile: Gpu, samples: pd.DataFrame | Path | str, *, kinds: str | Sequence[str] | None = None
) -> Validation:
    """Compare `profile` (or the one of that name or file) with `samples`, a samples file or frame.

    `kinds` limits the comparison to these kinds of samples; rows of other GPUs are left out.

    Parameters
    ----------
    profile
        A profile, a name or a `.toml` path.
    samples
        A frame or file in the samples format.
    kinds
        Kinds of samples to compare. Left out: all.

    Returns
    -------
    Validation
        Predictions, errors, and what was left out.

    Raises
    ------
    BadSamplesError
        For rows that cannot be samples.
    WrongUnitError
        Where latencies cannot be microseconds.
    InfersimError
        Where nothing is left to compare.
    UnsupportedError
        For a data type that the GPU lacks.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> shapes = {"gpu": "h100-sxm", "kind": "gemm", "dtype": "bf16", "m": [16, 256], "n": 4096, "k": 4096}
    >>> samples = pd.DataFrame({**shapes, "latency_us": [20.0, 25.0]})
    >>> sim.validate("h100-sxm", samples).rows
    2
    """
    profile = as_profile(profile)
    read = read_samples(samples, gpu=profile.name)
    found = validate_read(profile, read.frame, kinds=kinds)
    return replace(found, left_out={**read.left_out, **found.left_out})


def validate_read(
    profile: HardwareProfile, samples: pd.DataFrame, *, kinds: Sequence[str] | None = None
) -> Validation:
    """`validate` on samples of the profile's GPU as `read_samples` returns them: they are not read again."""
    frame, left_out = of_kinds(samples, kinds or ())
    check_against_floor(frame, profile)
    predicted = predict_samples(frame, profile)
    predictions = frame.assign(**{str(name): column for name, column in predicted.items()})
    return Validation(
        gpu=profile.name,
        calibration=profile.calibration,
        fit_source=profile.fit_source,
        predictions=predictions,
        rows=len(predictions),
        outside_range=int((~predictions["in_range"]).sum()),
        errors=error_table(predictions),
        speedups=speedup_table(predictions),
        left_out=left_out,
        overlap=overlap_with_fit(profile, frame),
    )


def validate_held_out(profile: HardwareProfile, samples: pd.DataFrame) -> Validation:
    """`validate` on samples that were kept out of the fit: their overlap with it is known to be none."""
    return replace(validate(profile, samples), overlap=Overlap.NONE)
