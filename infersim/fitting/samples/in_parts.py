"""Samples files of any number of rows, read into little memory: what commands do where the API has frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError
from infersim.fitting.samples.account import Tally
from infersim.fitting.samples.packed import PackedSamples
from infersim.fitting.samples.reading import checked_parts, tables_of, whole_characters
from infersim.fitting.samples.schema import Kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedRead:
    """Samples of one GPU from some files, and an account of the other rows.

    `other_kinds` counts rows that the account has as kept, of kinds that were not wanted.
    """

    samples: PackedSamples
    tally: Tally
    kept: int
    other_kinds: Mapping[str, int]

    def account(self) -> str:
        """One sentence that counts every row that was read."""
        return self.tally.account(self.kept)


def read_packed(
    paths: Sequence[Path],
    *,
    gpu: str,
    defaults: Mapping[str, object],
    skip_bad: bool = False,
    kinds: Sequence[str] = (),
) -> PackedRead:
    """The rows of `gpu` in samples files, as one set, and of `kinds` (all, where none is named).

    Raises as `read_samples` and `of_kinds` do.
    """
    known = [kind.value for kind in Kind]
    for kind in kinds:
        if kind not in known:
            raise UnknownNameError("kind of samples", kind, known)
    samples, whole = PackedSamples(), Tally()
    of_kind: Counter[str] = Counter()
    for path in paths:
        with whole_characters(path):
            tally = _pack(path, samples, of_kind, gpu=gpu, defaults=defaults, skip_bad=skip_bad, kinds=kinds)
        whole.join(tally)
    if not len(samples):
        raise InvalidValueError(
            "samples", ", ".join(sorted(of_kind)) or "no rows", f"rows of {', '.join(kinds or known)}"
        )
    other_kinds = {f"kind {kind}": rows for kind, rows in of_kind.items() if kinds and kind not in kinds}
    return PackedRead(samples=samples, tally=whole, kept=sum(of_kind.values()), other_kinds=other_kinds)


def _pack(
    path: Path,
    samples: PackedSamples,
    of_kind: Counter[str],
    *,
    gpu: str,
    defaults: Mapping[str, object],
    skip_bad: bool,
    kinds: Sequence[str],
) -> Tally:
    """Add the wanted rows of one file to `samples`, and the GPU's rows of each kind to `of_kind`."""
    tally, others, found = Tally(), Counter[str](), False
    for part in checked_parts(tables_of(path), defaults, tally):
        mine = (part["gpu"] == gpu).to_numpy(dtype=bool)
        others.update(part.loc[~mine, "gpu"].tolist())
        rows = part[mine] if not mine.all() else part
        of_kind.update(rows["kind"].tolist())
        found |= bool(mine.any())
        samples.add(rows[rows["kind"].isin(kinds)] if kinds else rows)
    if not skip_bad:
        tally.refuse_bad()
    if others and not found:
        raise InfersimError(f"{path}: gpu = {', '.join(sorted(others))}; expected rows of {gpu}")
    tally.left_out.update({f"gpu {name}": rows for name, rows in others.items()})
    return tally


MOST_FITTED = 1_000_000
"""Rows that a calibration takes from samples files; of more it draws as many."""


def drawn(samples: PackedSamples, most: int = MOST_FITTED) -> pd.DataFrame:
    """All samples, or `most` of them, drawn by their content: the same ones whatever their order."""
    if len(samples) <= most:
        return samples.frame()
    numbers = np.concatenate([_content_numbers(part) for part in samples.parts()])
    chosen = np.zeros(len(numbers), dtype=np.bool_)
    chosen[np.argpartition(numbers, most)[:most]] = True
    del numbers
    kept, start = list[pd.DataFrame](), 0
    for part in samples.parts():
        kept.append(part[chosen[start : start + len(part)]])
        start += len(part)
    samples.clear()
    return pd.concat(kept, ignore_index=True)


def _content_numbers(part: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """A number for each row that is as good as random, and the same for the same measurement."""
    said = part[[name for name in _CONTENT if name in part.columns]]
    numbers: npt.NDArray[np.uint64] = np.asarray(
        pd.util.hash_pandas_object(said.astype(_as_held(said)), index=False), dtype=np.uint64
    )
    return numbers


_CONTENT = (
    *("kind", "dtype", "m", "n", "k", "phase", "batch", "query_len", "context_len", "num_heads"),
    *("num_kv_heads", "head_dim", "read_bytes", "write_bytes", "latency_us"),
)


def _as_held(said: pd.DataFrame) -> dict[str, type]:
    """Whole numbers as floating ones, which they are where another part has empty cells."""
    return {name: np.float64 for name in said.columns if pd.api.types.is_integer_dtype(said[name].dtype)}
