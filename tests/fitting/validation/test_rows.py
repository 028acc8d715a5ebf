"""Which rows a calibration gets: files as one set, whole groups held out, the rest thinned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.fitting.calibration_rows import divide, held_out_rows, read_sample_files, thinned
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples
from tests.fitting.example_samples import GEMM, LAUNCH, MEMORY, SPARSE, table
from tests.fitting.synthetic_samples import attention_shapes, gemm_shapes


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    shapes = [
        gemm_shapes(300, 1),
        gemm_shapes(300, 1).assign(dtype="fp8"),
        attention_shapes(120, 2, "decode"),
        attention_shapes(120, 3, "prefill"),
    ]
    moving = [MEMORY | {"read_bytes": 4096 * size} for size in range(1, 21)]
    rows = pd.concat([*shapes, table(*[LAUNCH] * 5, *moving)], ignore_index=True)
    return read_samples(rows.assign(latency_us=10.0)).frame


def test_groups_are_held_out_whole(frame: pd.DataFrame) -> None:
    held = held_out_rows(frame, 0.3, seed=4)
    for kind, columns in {
        "gemm": ["n", "k"],
        "attention": ["batch", "num_heads", "num_kv_heads"],
        "memory": ["read_bytes", "write_bytes"],
    }.items():
        rows = frame["kind"] == kind
        share = held[rows.to_numpy()]
        sides = pd.Series(share).groupby([frame.loc[rows, name].to_numpy() for name in columns]).nunique()
        assert (sides == 1).all()
        assert 0.1 < share.mean() < 0.5
    assert not held[(frame["kind"] == "launch").to_numpy()].any()


def test_a_matrix_is_held_out_in_every_data_type_and_sparsity() -> None:
    sizes = [{"n": 256 * step, "latency_us": 9.0} for step in range(1, 11)]
    rows = [kind | size for size in sizes for kind in (GEMM, GEMM | {"dtype": "fp8"}, SPARSE)]
    frame = read_samples(table(*rows)).frame
    held = held_out_rows(frame, 0.5, seed=0)
    assert held.sum() == 15
    assert (pd.Series(held).groupby(frame["n"]).nunique() == 1).all()


def test_thinning_is_by_kind_data_type_and_phase_and_by_seed(frame: pd.DataFrame) -> None:
    drawn = thinned(frame, 12, seed=1)
    counts = drawn.groupby(["kind", "dtype", "phase"], dropna=False).size()
    assert counts.to_list() == [12, 12, 12, 12, 5, 12]
    pd.testing.assert_frame_equal(drawn, thinned(frame.sample(frac=1.0, random_state=5), 12, seed=1))
    assert not drawn.equals(thinned(frame, 12, seed=2))


def test_every_row_is_accounted_for(frame: pd.DataFrame) -> None:
    division = divide(frame, kinds=["gemm", "attention"], hold_out=0.3, rows=20, seed=0)
    known = len(division.fitted) + len(division.held_out) + sum(division.left_out.values())
    assert known == len(frame)
    assert division.left_out["kind launch"] == 5
    assert division.left_out["kind memory"] == 20
    assert len(division.fitted) == 80
    for text in ("80 to fit", "held out", "left out (not drawn)", "5 left out (kind launch)"):
        assert text in division.account()


def test_without_wishes_everything_is_fitted(frame: pd.DataFrame) -> None:
    division = divide(frame)
    pd.testing.assert_frame_equal(division.fitted, frame)
    assert division.held_out.empty
    assert division.account() == f"{len(frame):,} to fit"


def test_impossible_wishes_are_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="did you mean sparse_gemm"):
        divide(frame, kinds=["sparse-gemm"])
    with pytest.raises(InvalidValueError, match="expected rows of sparse_gemm"):
        divide(frame, kinds=["sparse_gemm"])
    with pytest.raises(InvalidValueError, match="rows = 0"):
        divide(frame, rows=0)
    with pytest.raises(InvalidValueError, match="fraction = 1"):
        divide(frame, hold_out=1.0)


def test_files_add_up(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    write_samples(table(GEMM, GEMM | {"latency_us": -1.0}), first)
    write_samples(table(MEMORY, MEMORY | {"gpu": "l40s"}, MEMORY | {"status": "out of memory"}), second)
    read = read_sample_files([first, second], gpu="h100-sxm", skip_bad=True)
    assert read.rows_read == 5
    assert read.frame["kind"].to_list() == ["gemm", "memory"]
    assert [row.file for row in read.set_aside] == [str(first)]
    assert read.left_out == {"status out of memory": 1, "gpu l40s": 1}
