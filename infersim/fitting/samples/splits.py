"""Which rows are wanted, which are held out and which fitted.

What is drawn is so by seed, whatever the order of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError
from infersim.fitting.samples.schema import COLUMN_NAMES, Kind

GEMM_GROUPS = ("n", "k")
"""A model's layers have few (n, k): what counts is the error on weight matrices that were never measured."""

EXPERT_GROUPS = ("hidden_size", "ffn_width", "num_experts", "top_k")
"""A layer of a model, however it is shared among GPUs."""

ATTENTION_GROUPS = ("batch", "num_heads", "num_kv_heads")


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


def selected(
    frame: pd.DataFrame, file: str, wanted: Mapping[str, str | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows whose GPU and kind are the wanted ones, and counts of the others."""
    left_out: dict[str, int] = {}
    for name, value in wanted.items():
        if value is None:
            continue
        matches = frame[name] == value
        if len(frame) and not matches.any():
            there = ", ".join(sorted(frame[name].unique()))
            raise InfersimError(f"{file}: {name} = {there}; expected rows of {value}")
        for other, count in frame.loc[~matches, name].value_counts(sort=False).items():
            left_out[f"{name} {other}"] = int(count)
        frame = frame[matches].reset_index(drop=True)
    return frame, left_out


def hold_out_groups(
    frame: pd.DataFrame, columns: Sequence[str], fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Mask of the rows held out: whole groups of equal `columns`, `fraction` of the groups (rounded).

    At least one group is held out and at least one kept where there are two; duplicates of a row are in its
    group and so never on both sides.
    """
    if not 0.0 < fraction < 1.0:
        raise InvalidValueError("fraction", fraction, "a number between 0 and 1")
    groups = frame.groupby(list(columns), dropna=False, sort=True).ngroup().to_numpy()
    count = int(groups.max()) + 1 if len(groups) else 0
    held = int(np.clip(round(fraction * count), min(1, count - 1), max(count - 1, 0)))
    chosen = np.random.default_rng(seed).permutation(count)[:held]
    mask: npt.NDArray[np.bool_] = np.isin(groups, chosen)
    return mask


def sample_rows(frame: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """`count` rows drawn without replacement, in canonical order; all of them where there are no more."""
    ordered = canonical_order(frame)
    if count >= len(frame):
        return ordered
    chosen = np.random.default_rng(seed).choice(len(frame), size=count, replace=False)
    return ordered.iloc[np.sort(chosen)].reset_index(drop=True)


def canonical_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows sorted by the format's columns, so that what follows does not depend on their order."""
    known = [name for name in COLUMN_NAMES if name in frame.columns]
    return frame.sort_values(known, kind="stable", ignore_index=True)
