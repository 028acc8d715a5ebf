"""Which samples a calibration gets and which judge it: several files as one set, held out, thinned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.arguments import checked
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import count, number
from infersim.files.frames import a_frame
from infersim.fitting.samples.account import SampleRead
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.schema import GEMMS, Kind, in_order
from infersim.fitting.samples.splits import (
    ATTENTION_GROUPS,
    EXPERT_GROUPS,
    GEMM_GROUPS,
    canonical_order,
    hold_out_groups,
    of_kinds,
    sample_rows,
)
from infersim.fitting.validation.error_table import cost_kinds

_GROUPS: tuple[tuple[tuple[Kind, ...], tuple[str, ...]], ...] = (
    (GEMMS, GEMM_GROUPS),
    ((Kind.ATTENTION,), ATTENTION_GROUPS),
    ((Kind.MEMORY,), ("read_bytes", "write_bytes")),
    ((Kind.COLLECTIVE,), ("message_bytes",)),
    ((Kind.MOE,), EXPERT_GROUPS),
)
"""Kinds that are held out together, and the dimensions whose groups stay whole."""


MAX_SEED = 2**63 - 1


def read_sample_files(
    paths: Sequence[Path],
    *,
    gpu: str | None = None,
    defaults: Mapping[str, object] | None = None,
    skip_bad: bool = False,
) -> SampleRead:
    """Read samples files as one set, each as `read_samples` does; their accounts add up."""
    reads = [read_samples(path, gpu=gpu, defaults=defaults, skip_bad=skip_bad) for path in paths]
    if len(reads) == 1:
        return reads[0]
    frame = pd.concat([read.frame for read in reads], ignore_index=True)
    left_out: Counter[str] = Counter()
    for read in reads:
        left_out.update(read.left_out)
    return SampleRead(
        frame=frame[in_order(frame.columns)],
        rows_read=sum(read.rows_read for read in reads),
        set_aside=tuple(row for read in reads for row in read.set_aside),
        bad_rows=sum(read.bad_rows for read in reads),
        left_out=left_out,
        environment={name: value for read in reads for name, value in read.environment.items()},
    )


@checked(
    frame=a_frame(others=("kind",), source="samples that read_samples returned", empty=True),
    fraction=number("a number between 0 and 1", above=0.0),
    seed=count(MAX_SEED, low=0),
)
def held_out_rows(frame: pd.DataFrame, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Mask of the rows that a fit does not get: whole groups, `fraction` of them.

    Groups are (n, k) of GEMMs, dense and 2:4 together, (batch, heads, kv heads) of attention, sizes of
    memory-bound kernels, sizes of messages, and layers of experts. Launch samples are never held out.

    Parameters
    ----------
    frame
        Samples, as `read_samples` leaves them.
    fraction
        The share of the groups, between 0 and 1.
    seed
        Draws the groups; the order of the rows has no say.

    Returns
    -------
    ndarray
        True where a row is held out.

    Raises
    ------
    InvalidValueError
        For a fraction that is not between 0 and 1, a seed below 0, or a frame without the columns.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> shapes = {"kind": "gemm", "m": [16, 32] * 2, "n": [1024] * 2 + [4096] * 2, "k": 1024}
    >>> held = sim.held_out_rows(pd.DataFrame(shapes), 0.5, seed=0)
    >>> int(held.sum()), bool(held[0] == held[1])
    (2, True)
    """
    held = np.zeros(len(frame), dtype=np.bool_)
    for kinds, columns in _GROUPS:
        rows = np.flatnonzero(frame["kind"].isin(kinds))
        if len(rows):
            held[rows] = hold_out_groups(frame.iloc[rows], columns, fraction, seed)
    return held


def thinned(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """At most `rows` samples of each kind, data type and phase, drawn by `seed`, in canonical order."""
    dtypes = frame["dtype"] if "dtype" in frame.columns else pd.Series("", index=frame.index)
    groups = frame.groupby([pd.Series(cost_kinds(frame), index=frame.index), dtypes], dropna=False)
    drawn = [sample_rows(group, rows, seed) for _, group in groups]
    return canonical_order(pd.concat(drawn, ignore_index=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationRows:
    """Samples that are fitted, samples held out to judge the fit, and counts of the others by reason."""

    fitted: pd.DataFrame
    held_out: pd.DataFrame
    left_out: Mapping[str, int]

    def with_left_out(self, others: Mapping[str, int], given: int) -> CalibrationRows:
        """With `others`, and what was not drawn of `given` rows before they were divided, counted too."""
        chosen = len(self.fitted) + len(self.held_out) + sum(self.left_out.values())
        left_out = Counter({**others, **self.left_out})
        left_out["not drawn"] += given - chosen
        return replace(self, left_out=dict(+left_out))

    def account(self) -> str:
        """One sentence part that counts every row: fitted, held out, left out."""
        parts = [f"{len(self.fitted):,} to fit"]
        if len(self.held_out):
            parts.append(f"{len(self.held_out):,} held out")
        return "; ".join(parts + [f"{rows:,} left out ({why})" for why, rows in self.left_out.items()])


def divide(
    frame: pd.DataFrame,
    *,
    kinds: Sequence[str] = (),
    hold_out: float | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> CalibrationRows:
    """Choose among the rows of `kinds` (all, where none is named): hold out whole groups, then thin the rest.

    `rows` is the limit of `thinned`, `hold_out` the fraction of `held_out_rows`. Raises what `of_kinds`
    raises, and InvalidValueError for numbers that are out of the question.
    """
    chosen, left_out = of_kinds(frame, kinds)
    if rows is not None and rows < 1:
        raise InvalidValueError("rows", rows, "at least 1")
    held = np.zeros(len(chosen), dtype=np.bool_)
    if hold_out is not None:
        held = held_out_rows(chosen, hold_out, seed)
    fitted = chosen[~held]
    drawn = fitted if rows is None else thinned(fitted, rows, seed)
    if len(drawn) < len(fitted):
        left_out["not drawn"] = len(fitted) - len(drawn)
    return CalibrationRows(
        fitted=drawn.reset_index(drop=True),
        held_out=chosen[held].reset_index(drop=True),
        left_out=left_out,
    )
