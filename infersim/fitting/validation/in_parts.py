"""Validation of any number of samples: predicted part by part, in memory of some 50 bytes a row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from infersim.domain.profile import HardwareProfile
from infersim.files.memory import give_back
from infersim.fitting.samples.identity import overlap_by_counts, overlap_with_fit
from infersim.fitting.samples.packed import PackedSamples
from infersim.fitting.samples.schema import Kind
from infersim.fitting.samples.unit_check import check_parts_against_floor
from infersim.fitting.validation.error_table import Errors
from infersim.fitting.validation.predictions import predict_samples
from infersim.fitting.validation.pruned_pairs import HOW_TIMED, DenseGemms, Way
from infersim.fitting.validation.speedup_table import packed_speedup_table
from infersim.fitting.validation.validation import Validation


def validate_packed(
    profile: HardwareProfile,
    samples: PackedSamples,
    *,
    left_out: Mapping[str, int],
    write: Callable[[pd.DataFrame], None] | None = None,
    drawn: int = 0,
) -> Validation:
    """`validate_read` on packed samples, which are let go; `write` gets the predictions of each part.

    The `predictions` of what is returned are about `drawn` at most, taken evenly.
    """
    check_parts_against_floor(samples.parts(), profile)
    rows, by_kind = len(samples), samples.by_kind()
    every = max(-(-rows // max(drawn, 1)), 1)
    errors, outside, kept = Errors(), 0, list[pd.DataFrame]()
    for frame in samples.parts():
        predicted = predict_samples(frame, profile)
        predictions = frame.assign(**{str(name): column for name, column in predicted.items()})
        errors.add(predictions)
        outside += int((~predictions["in_range"]).sum())
        if drawn or not kept:  # copies: a view would keep all that was predicted
            kept.append(predictions.iloc[:: every if drawn else rows].copy())
        if write is not None:
            write(predictions)
    table = errors.table()
    del errors
    give_back()
    overlap = overlap_by_counts(profile, by_kind) or overlap_with_fit(profile, samples.frame())
    return Validation(
        gpu=profile.name,
        calibration=profile.calibration,
        fit_source=profile.fit_source,
        predictions=pd.concat(kept, ignore_index=True) if len(kept) > 1 else kept[0],
        rows=rows,
        outside_range=outside,
        errors=table,
        speedups=packed_speedup_table(
            _gemms(samples), lambda chosen: predict_samples(chosen.assign(gpu=profile.name), profile)
        ),
        left_out=left_out,
        overlap=overlap,
    )


def _gemms(samples: PackedSamples) -> Iterator[tuple[str, DenseGemms]]:
    """The dense GEMMs by data type, sorted; the samples are let go before they are worked with."""
    parts: dict[str, list[dict[str, npt.NDArray[Any]]]] = {}
    timed: dict[Way, int] = {}
    for frame in samples.parts():
        rows = frame[(frame["kind"] == Kind.GEMM).to_numpy()]
        for dtype, group in rows.groupby("dtype", sort=False) if len(rows) else ():
            parts.setdefault(str(dtype), []).append(_columns(group, timed))
    samples.clear()
    give_back()
    ways = sorted(timed, key=lambda way: [(value is None, value or 0) for value in way])
    ranks = np.zeros(len(ways), dtype=np.int32)
    ranks[[timed[way] for way in ways]] = np.arange(len(ways))
    for dtype in sorted(parts):
        columns = parts.pop(dtype)
        alike = ranks[_taken(columns, "way")]
        m, n, k, latency_us = (_taken(columns, name) for name in ("m", "n", "k", "latency_us"))
        give_back()
        yield dtype, DenseGemms(alike=alike, m=m, n=n, k=k, latency_us=latency_us, ways=tuple(ways))


def _columns(group: pd.DataFrame, timed: dict[Way, int]) -> dict[str, npt.NDArray[Any]]:
    """Dimensions, latency and the number of the way in which each GEMM was timed."""
    how = [name for name in HOW_TIMED if name in group.columns]
    ways = group.groupby(how, dropna=False, sort=False).ngroup().to_numpy()
    _, first = np.unique(ways, return_index=True)
    said = [_way(row) for row in group[how].iloc[first].to_dict("records")]
    numbers = np.array([timed.setdefault(way, len(timed)) for way in said], dtype=np.int32)
    sizes = {name: _narrow(group[name].to_numpy()) for name in ("m", "n", "k")}
    # A copy: the rows of a group may be a view of a whole part.
    return {"way": numbers[ways], **sizes, "latency_us": group["latency_us"].to_numpy(copy=True)}


def _taken(parts: list[dict[str, npt.NDArray[Any]]], name: str) -> npt.NDArray[Any]:
    """A column of all parts, which lose it: all columns twice at a time would be too much."""
    return np.concatenate([part.pop(name) for part in parts])


def _way(row: Mapping[Hashable, Any]) -> Way:
    return tuple(None if pd.isna(row.get(name)) else row[name] for name in HOW_TIMED)


def _narrow(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int32] | npt.NDArray[np.int64]:
    return sizes.astype(np.int32) if sizes.max() < 2**31 else sizes
