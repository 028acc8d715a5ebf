"""Were these samples fitted? What a fit records of its data, against the samples that judge it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import pandas as pd

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.fitting.sample_identity import identity


class Overlap(StrEnum):
    """What is known of the rows that were both fitted and validated."""

    NONE = "none"
    ALL = "all"
    UNKNOWN = "unknown"


def overlap_with_fit(profile: HardwareProfile, frame: pd.DataFrame) -> Overlap:
    """Whether the samples in `frame`, as `read_samples` returns them, are those that `profile` was fitted on.

    A fit records a digest of its samples as a whole, so that equal sets are found; of other sets, single rows
    may still be shared. Parameters that were measured on no GPU, or on another one, have seen none of them.
    """
    if profile.fit is None or profile.calibration is not Calibration.FITTED:
        return Overlap.NONE
    fitted = set(_digests(profile.fit.provenance))
    parts = [rows for _, rows in frame.groupby("kind")]
    if all(identity(part)["sha256"] in fitted for part in parts) or identity(frame)["sha256"] in fitted:
        return Overlap.ALL
    return Overlap.UNKNOWN


def _digests(provenance: object) -> Iterator[str]:
    """Every `sha256` in a provenance record, at any depth: a fit may have been made of several files."""
    if isinstance(provenance, Mapping):
        for name, value in provenance.items():
            if name == "sha256":
                yield str(value)
            else:
                yield from _digests(value)
    elif isinstance(provenance, Sequence) and not isinstance(provenance, str):
        for value in provenance:
            yield from _digests(value)
