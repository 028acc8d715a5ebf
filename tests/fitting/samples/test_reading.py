"""Reading samples: every format gives the same table, defaults fill gaps, selection counts what it leaves."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError, UnsupportedError
from infersim.fitting.samples.reading import parse_defaults, read_samples
from infersim.fitting.samples.writing import write_samples
from tests.fitting.example_samples import ATTENTION, GEMM, LAUNCH, MEMORY, every_kind, table
from tests.report.handmade import check_order


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_every_kind_survives_a_round_trip_through_every_format(tmp_path: Path, suffix: str) -> None:
    samples = read_samples(every_kind()).frame
    write_samples(samples, tmp_path / f"samples{suffix}")
    again = read_samples(tmp_path / f"samples{suffix}")
    assert again.rows_read == len(samples)
    pd.testing.assert_frame_equal(again.frame, samples)


@pytest.mark.slow
@given(
    latency=st.floats(min_value=1e-3, max_value=1e9),
    size=st.integers(min_value=1, max_value=10**15),
)
def test_numbers_survive_csv_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, latency: float, size: int
) -> None:
    path = tmp_path_factory.mktemp("round_trip") / "samples.csv"
    write_samples(read_samples(table(GEMM | {"latency_us": latency, "n": size})).frame, path)
    row = read_samples(path).frame.iloc[0]
    assert (row["latency_us"], row["n"]) == (latency, size)


def test_written_columns_stand_in_the_formats_order_with_unknown_ones_last(tmp_path: Path) -> None:
    write_samples(table({"note": "mine"} | GEMM), tmp_path / "samples.csv")
    header = (tmp_path / "samples.csv").read_text().splitlines()[0]
    assert header == "gpu,kind,dtype,m,n,k,latency_us,note"


def test_order_duplicates_and_further_columns_are_kept() -> None:
    frame = table(GEMM | {"m": 3, "note": "b"}, GEMM | {"m": 1, "note": "a"}, GEMM | {"m": 3, "note": "b"})
    read = read_samples(frame).frame
    assert read["m"].tolist() == [3, 1, 3]
    assert read["note"].tolist() == ["b", "a", "b"]


def test_the_given_frame_is_not_changed() -> None:
    frame = every_kind()
    before = frame.copy()
    read_samples(frame, defaults={"weight_copies": 2}, skip_bad=True)
    pd.testing.assert_frame_equal(frame, before)


def test_weight_copies_and_act_quant_exist_even_where_no_file_says_them() -> None:
    frame = read_samples(table(GEMM)).frame
    assert frame["weight_copies"].isna().all()
    assert frame["includes_act_quant"].isna().all()


def test_whole_numbers_are_integers_where_complete_and_floats_where_not() -> None:
    assert read_samples(table(GEMM)).frame["m"].dtype == np.int64
    assert read_samples(table(GEMM, ATTENTION)).frame["m"].dtype == np.float64


def test_defaults_fill_missing_columns_and_empty_cells_only() -> None:
    bare = {name: value for name, value in GEMM.items() if name not in ("gpu", "kind")}
    rows = table(bare | {"weight_copies": 2}, bare | {"weight_copies": None})
    frame = read_samples(rows, defaults=parse_defaults(["gpu=l40s", "kind=gemm", "weight_copies=6"])).frame
    assert frame["gpu"].tolist() == ["l40s", "l40s"]
    assert frame["weight_copies"].tolist() == [2, 6]


@pytest.mark.parametrize("word", ["gpu", "gpu=", "colour=red", "gpus=t4", "m=0"])
def test_a_default_that_names_no_column_or_value_is_refused(word: str) -> None:
    with pytest.raises(InvalidValueError, match=f"default = '{word}'"):
        parse_defaults([word])


def test_half_of_a_character_in_a_default_is_refused() -> None:
    with pytest.raises(InfersimError, match=r"--default dtype: .* expected whole characters"):
        parse_defaults(["dtype=\ud800"])


def test_an_unknown_column_in_defaults_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"default = 'colour'.*gpu, kind"):
        read_samples(table(GEMM), defaults={"colour": "red"})


def test_selection_by_gpu_and_kind_counts_the_rows_it_leaves_out() -> None:
    read = read_samples(table(GEMM, GEMM | {"gpu": "l40s"}, ATTENTION), gpu="h100-sxm", kind="gemm")
    assert len(read.frame) == 1
    assert read.left_out == {"gpu l40s": 1, "kind attention": 1}
    check_order(read.account(), "3 rows", "1 row", "gpu l40s", "kind attention")


def test_selecting_a_gpu_that_the_file_lacks_says_which_it_has() -> None:
    with pytest.raises(InfersimError, match=r"gpu = h100-sxm, l40s.*t4"):
        read_samples(table(GEMM, GEMM | {"gpu": "l40s"}), gpu="t4")


def test_missing_columns_are_named_all_at_once_with_the_way_to_fill_them() -> None:
    bare = table({name: value for name, value in GEMM.items() if name not in ("gpu", "kind")})
    with pytest.raises(FileContentError, match=r"gpu, kind .*gpu=\.\.\. kind=\.\.\."):
        read_samples(bare)
    with pytest.raises(FileContentError, match=r"\bn, k .*gemm"):
        read_samples(table(GEMM).drop(columns=["n", "k"]))


def test_a_log_keeps_its_environment_and_counts_failed_and_cut_off_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [
        {"record": "samples", "version": 1},
        {"record": "environment", "gpu": "h100-sxm", "driver": "580.65"},
        GEMM | {"status": "ok", "raw_us": [9.4, 9.5, 9.9]},
        {"kind": "gemm", "gpu": "h100-sxm", "m": 1, "status": "out of memory"},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    log.write_text(f'{text}\n\n{{"kind": "gemm", "gpu": "h10')
    read = read_samples(log, skip_bad=True)
    assert read.environment == {"gpu": "h100-sxm", "driver": "580.65"}
    assert read.left_out == {"status out of memory": 1}
    assert [(row.line, row.column, row.expected) for row in read.set_aside] == [(6, "line", "a JSON object")]
    assert read.rows_read == 3
    assert read.frame["raw_us"].tolist() == [[9.4, 9.5, 9.9]]


def test_a_log_of_failures_alone_is_no_samples_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"kind": "gemm", "m": 8, "status": "out of memory"}\n')
    read = read_samples(tmp_path / "log.jsonl")
    assert (len(read.frame), read.left_out) == (0, {"status out of memory": 1})


def test_an_empty_log_is_no_samples_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"record": "samples", "version": 1}\n')
    read = read_samples(tmp_path / "log.jsonl")
    assert (read.rows_read, len(read.frame)) == (0, 0)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_later_format_version_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"samples{suffix}"
    with monkeypatch.context() as later:
        later.setattr("infersim.fitting.samples.writing.FORMAT_VERSION", 2)
        write_samples(table(GEMM), path)
    with pytest.raises(FileContentError, match=r"format version = '?2'?.*\b1\b") as refusal:
        read_samples(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("samples.txt", b"", "'.txt'"),
        ("samples.csv", b"", "line 1 = ''"),
        ("samples.csv", b"gpu,m,gpu\na,2,b\n", "once"),
        ("samples.csv", b"\xff\xfe\x00gpu", "csv table"),
        ("samples.parquet", b"not parquet at all", "parquet table"),
        ("samples.jsonl", b"\xff\xfe", "jsonl table"),
    ],
)
def test_a_file_that_is_no_table_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((FileContentError, UnsupportedError)) as refusal:
        read_samples(path)
    assert says in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_file_and_a_folder_are_errors_that_name_them(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path / "none.parquet", tmp_path / "folder.jsonl"):
        if path.stem == "folder":
            path.mkdir()
        with pytest.raises(InfersimError, match=str(path)):
            read_samples(path)


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InfersimError, match=r"nowhere.*a folder that exists"):
        write_samples(table(GEMM), tmp_path / "nowhere" / "samples.csv")
    with pytest.raises(UnsupportedError, match=r"not '\.xlsx'"):
        write_samples(table(GEMM), tmp_path / "samples.xlsx")


def test_fifty_thousand_rows_are_checked_in_well_under_a_second() -> None:
    rows = 50_000
    sizes = np.random.default_rng(0).integers(1, 65536, size=(rows, 3))
    frame = table(GEMM).loc[np.zeros(rows, dtype=int)].reset_index(drop=True)
    frame[["m", "n", "k"]] = sizes
    seconds = []
    for _ in range(3):
        start = time.process_time()  # not of programs beside this one
        read_samples(frame)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.7


def test_memory_and_launch_need_no_data_type() -> None:
    frame = read_samples(table(MEMORY, LAUNCH)).frame
    assert frame["op"].tolist()[0] == "attn_norm"
    assert len(frame) == 2


def test_a_numeric_version_is_as_good_a_name_as_any() -> None:
    assert read_samples(table(GEMM | {"version": 580})).frame["version"].tolist() == ["580"]


def test_the_index_of_a_frame_that_pandas_wrote_is_read_as_columns(tmp_path: Path) -> None:
    table(GEMM, GEMM | {"m": 32}).set_index(["m", "n"]).to_parquet(tmp_path / "samples.parquet")
    assert read_samples(tmp_path / "samples.parquet").frame["m"].tolist() == [16, 32]


def test_a_column_of_another_kind_does_no_harm_where_it_is_alone() -> None:
    assert len(read_samples(table(GEMM | {"read_bytes": 5, "phase": "decode"})).frame) == 1


@pytest.mark.parametrize("dtype", ["Int64", "float32", "category", "string", "object"])
def test_the_type_that_pandas_gave_a_column_does_not_matter(dtype: str) -> None:
    frame = table(GEMM, GEMM | {"m": 32}).astype({"m": dtype})
    assert read_samples(frame).frame["m"].tolist() == [16, 32]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_file_that_is_read_in_parts_gives_the_same_table(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"samples{suffix}"
    write_samples(pd.concat([read_samples(every_kind()).frame] * 3, ignore_index=True), path)
    whole = read_samples(path)
    for rows in (1, 7, 20, 21, 22):
        monkeypatch.setattr("infersim.fitting.samples.files.CHUNK_ROWS", rows)
        read = read_samples(path)
        assert (read.rows_read, read.left_out) == (whole.rows_read, whole.left_out)
        assert read.frame.dtypes.tolist() == whole.frame.dtypes.tolist()
        assert read.frame.to_csv() == whole.frame.to_csv()  # an older pandas has two empty texts


def test_bad_rows_of_all_parts_keep_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "samples.csv"
    broken = table(*[GEMM | {"m": 0 if row % 3 == 0 else row} for row in range(10)])
    broken.to_csv(path, index=False)
    monkeypatch.setattr("infersim.fitting.samples.files.CHUNK_ROWS", 4)
    assert [bad.line for bad in read_samples(path, skip_bad=True).set_aside] == [2, 5, 8, 11]
