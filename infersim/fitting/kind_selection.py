"""The samples of the kinds that a user names."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.fitting.sample_schema import Kind


def of_kinds(frame: pd.DataFrame, kinds: Sequence[str]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows of `kinds` (all, where none is named), and counts of the others by reason.

    Raises UnknownNameError for a kind that is none, and InvalidValueError where no row is left.
    """
    known = [kind.value for kind in Kind]
    for kind in kinds:
        if kind not in known:
            raise UnknownNameError("kind of samples", kind, known)
    wanted = frame["kind"].isin(kinds or known)
    if not wanted.any():
        there = ", ".join(sorted(frame["kind"].unique())) or "no rows"
        raise InvalidValueError("samples", there, f"rows of {', '.join(kinds or known)}")
    others = frame.loc[~wanted, "kind"].value_counts(sort=False)
    return frame[wanted].reset_index(drop=True), {f"kind {kind}": int(n) for kind, n in others.items()}
