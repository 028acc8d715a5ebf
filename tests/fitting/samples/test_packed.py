"""Samples held and read in parts are the same samples; of too many the same are drawn in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infersim.domain.errors import InfersimError, InvalidValueError, UnknownNameError
from infersim.fitting.samples.in_parts import drawn, read_packed
from infersim.fitting.samples.packed import PackedSamples
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples, writing_samples
from infersim.fitting.validation import pruned_pairs as pairing
from infersim.fitting.validation.in_parts import validate_packed
from infersim.fitting.validation.validation import validate
from infersim.profile_files.profiles import load_profile
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, table

GPU = "h100-sxm"
ROWS: list[dict[str, Any]] = [
    *(GEMM | {"m": m, "n": n, "latency_us": 300.0 + m / 8} for m in (64, 4096) for n in (4096, 2048)),
    GEMM | {"m": 3_000_000_000, "n": 64, "k": 64, "latency_us": 9e6, "weight_copies": 6},
    ATTENTION | {"source": "own", "note": "cold"},
    MEMORY | {"kernels": 2, "read_bytes": 1.5},
    LAUNCH,
    GEMM | {"includes_act_quant": True, "latency_us": 1 / 3},
]


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with numbers as they are, and other cells without a type of their own."""
    others = frame.select_dtypes(exclude="number").astype(object)
    return frame.assign(**{str(name): others[name].where(others[name].notna(), None) for name in others})


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read three rows at a time."""
    monkeypatch.setattr("infersim.fitting.samples.files.CHUNK_ROWS", 3)


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_packed_rows_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"samples{suffix}"
    write_samples(table(*ROWS), path)
    read = read_packed([path], gpu=GPU, defaults={})
    pd.testing.assert_frame_equal(plain(read.samples.frame()), plain(read_samples(path).frame))
    numbers = [part.select_dtypes("number").dtypes.to_dict() for part in read.samples.parts()]
    assert numbers == [numbers[0]] * 3
    assert read.samples.by_kind() == {"gemm": 6, "attention": 1, "memory": 1, "launch": 1}
    assert read.account() == "9 rows read, 9 rows kept"


def test_packed_rows_take_less() -> None:
    one = read_samples(table(*[GEMM] * 1000)).frame
    packed = PackedSamples()
    packed.add(one)
    held = sum(part.memory_usage(index=False).sum() for part, _ in packed._parts)
    assert held < one.memory_usage(index=False).sum() / 2


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_validation_in_parts_is_the_same(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "BLOCK_RUNS", 1)
    path, out = tmp_path / "samples.jsonl", tmp_path / f"out{suffix}"
    good = [row for row in ROWS if row["latency_us"] > 1]
    write_samples(table(*good), path)
    whole = validate(GPU, path)
    read = read_packed([path], gpu=GPU, defaults={})
    with writing_samples(out) as write:
        found = validate_packed(load_profile(GPU), read.samples, left_out={}, write=write, drawn=100)
    pd.testing.assert_frame_equal(found.errors, whole.errors)
    pd.testing.assert_frame_equal(found.speedups, whole.speedups)
    pd.testing.assert_frame_equal(plain(found.predictions), plain(whole.predictions))
    assert (found.rows, found.outside_range) == (whole.rows, whole.outside_range)
    assert found.overlap is whole.overlap
    assert len(found.speedups)
    in_one = tmp_path / f"one{suffix}"
    write_samples(whole.predictions, in_one)
    written, wanted = read_samples(out).frame, read_samples(in_one).frame
    assert list(written) == list(wanted)
    pd.testing.assert_frame_equal(plain(written[list(GEMM)]), plain(wanted[list(GEMM)]))
    predicted = written["predicted_us"].astype(float)  # in single precision, which rounds by the part
    np.testing.assert_allclose(predicted, whole.predictions["predicted_us"], rtol=1e-5)


def test_rows_of_others_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write_samples(table(GEMM, LAUNCH, GEMM | {"gpu": "l4"}), path)
    read = read_packed([path], gpu=GPU, defaults={}, kinds=["gemm"])
    assert len(read.samples) == 1
    assert read.account() == "3 rows read, 2 rows kept; 1 row left out (gpu l4)"
    assert read.other_kinds == {"kind launch": 1}
    with pytest.raises(InvalidValueError, match=r"samples = 'gemm, launch'; expected rows of memory"):
        read_packed([path], gpu=GPU, defaults={}, kinds=["memory"])
    with pytest.raises(UnknownNameError, match="kind of samples"):
        read_packed([path], gpu=GPU, defaults={}, kinds=["gem"])
    with pytest.raises(InfersimError, match=r"gpu = h100-sxm, l4; expected rows of t4"):
        read_packed([path], gpu="t4", defaults={})


@pytest.mark.usefixtures("parts")
def test_what_is_drawn_depends_on_no_order() -> None:
    rows = table(*(GEMM | {"m": m, "weight_copies": m % 2 or None} for m in range(1, 41)))
    kept = []
    for order in (np.arange(40), np.random.default_rng(0).permutation(40)):
        packed = PackedSamples()
        for start in range(0, 40, 7):
            packed.add(read_samples(rows.iloc[order[start : start + 7]]).frame)
        kept.append(sorted(drawn(packed, 12)["m"]))
    assert kept[0] == kept[1]
    assert len(kept[0]) == 12


def test_columns_of_two_types_are_told(tmp_path: Path) -> None:
    frame = table(GEMM, GEMM).assign(note=pd.Series(["text", [1]], dtype=object))
    with pytest.raises(InvalidValueError, match=r"columns that hold one type each"):
        write_samples(frame, tmp_path / "samples.parquet")
    assert list(tmp_path.iterdir()) == []
