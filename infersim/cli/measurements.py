"""The profile and the samples that a command is about, from what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.fitting.sample_account import SampleRead


def profile_and_samples(
    gpu: str, fit: Path | None, samples: Sequence[Path], defaults: Sequence[str], skip_bad: bool
) -> tuple[HardwareProfile, SampleRead]:
    """The profile, with the fit in the file `fit` if one is given, and the samples of its GPU.

    Raises what reading them raises.
    """
    from infersim.fitting.calibration_rows import read_sample_files
    from infersim.fitting.samples import parse_defaults
    from infersim.profile_files.profiles import load_profile, with_fit

    profile = load_profile(gpu)
    if fit is not None:
        profile = with_fit(profile, fit)
    said = {"gpu": profile.name, **parse_defaults(defaults)}
    return profile, read_sample_files(samples, gpu=profile.name, defaults=said, skip_bad=skip_bad)
