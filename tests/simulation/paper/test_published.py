"""The published table is sound and finds its scenarios; a bad file of one's own is told with the place."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.locations import data_folder
from infersim.profile_files.names import shipped_files
from infersim.pruning.families.registry import families
from infersim.simulation.measured.files import load_measured, load_published, match_measured, read_cited
from infersim.simulation.measured.table import OTHER, MeasuredSpeedup, MeasuredTable, Scope, Timed, Unit
from infersim.workload.presets import list_models

LLAMA_7B = {"blocks": 32, "heads": 32, "head_dim": 128, "hidden": 4096, "ffn": 11008}
LLAMA_13B = {"blocks": 40, "heads": 40, "head_dim": 128, "hidden": 5120, "ffn": 13824}
SHAPES = {"llama-2-7b": LLAMA_7B, "llama-2-13b": LLAMA_13B}

OWN = {
    "gpu": "h100-sxm",
    "model": "llama-3.1-8b",
    "family": "static-m",
    "sparsity": "0.25",
    "phase": "decode",
    "batch": "8",
    "context": "4096",
    "measured_speedup": "1.25",
}


def write_csv(folder: Path, *rows: Mapping[str, str]) -> Path:
    path = folder / "own.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def matches(table: MeasuredTable, **changes: object) -> list[MeasuredSpeedup]:
    """What the scenario of OWN finds in `table`, with some of its dimensions changed."""
    scenario = {
        "gpu": OWN["gpu"],
        "model": OWN["model"],
        "family": OWN["family"],
        "sparsity": 0.25,
        "phase": "decode",
        "batch": 8,
        "context": 4096,
    }
    return match_measured(table, **{**scenario, **changes})  # type: ignore[arg-type]  # the mapping is mixed


def speedups(table: MeasuredTable, **changes: object) -> list[float]:
    return [row.measured_speedup for row in matches(table, **changes)]


class TestTable:
    def test_every_column_is_known_and_every_row_says_where_it_is_from(self) -> None:
        path = data_folder("calibration") / "published_speedups.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        record = {field.name for field in dataclasses.fields(load_published().rows[0])}
        assert set(rows[0]) == record - {"plan", "execution", "cuda_graph"}, "which own measurements state"
        assert len(rows) == len(load_published().rows)
        for row in rows:
            assert row["source"].startswith("arXiv:") or "@" in row["source"], row["id"]
            assert row["locator"], row["id"]
            assert row["evidence"] in {"primary", "secondary"}, row["id"]

    def test_ids_are_unique(self) -> None:
        ids = [row.id for row in load_published().rows]
        assert len(set(ids)) == len(ids)

    def test_gpus_models_and_families_are_infersims_or_other(self) -> None:
        gpus = {*shipped_files(), OTHER}
        models = {*list_models(), None}
        for row in load_published().rows:
            assert row.gpu in gpus, row.id
            assert row.model in models, row.id
            assert row.family in {*(family.name for family in families()), OTHER}, row.id
            assert row.gpu_as_published, row.id

    def test_a_row_is_about_a_model_or_about_one_gemm(self) -> None:
        for row in load_published().rows:
            gemm = row.phase is Timed.GEMM
            assert (row.model is None) == gemm, row.id
            assert ((row.n, row.k) != (None, None)) == gemm, row.id

    def test_a_known_scenario_is_stated_in_full(self) -> None:
        for row in load_published().rows:
            if row.scope is Scope.MEAN:
                assert (row.batch, row.context) == (None, None), row.id
            if row.prompt_len is not None:
                assert row.context == row.prompt_len + (row.output_len or 0), row.id

    def test_speedup_is_that_of_the_figures_in_their_unit(self) -> None:
        both = [row for row in load_published().rows if row.dense and row.pruned]
        assert {row.unit for row in both} == set(Unit) - {Unit.RATIO}
        for row in both:
            assert row.dense is not None
            assert row.pruned is not None
            rate = row.unit in (Unit.TOKENS_PER_S, Unit.TFLOP_PER_S)
            ratio = row.pruned / row.dense if rate else row.dense / row.pruned
            assert row.measured_speedup == pytest.approx(ratio, rel=0.004, abs=0.0005), row.id

    def test_sparsity_follows_from_the_pruned_shape(self) -> None:
        checked = set()
        for row in load_published().rows:
            if (
                row.pruned_blocks is None
                or row.family == "other"
                or row.sparsity == row.sparsity_as_published
            ):
                continue  # as published: no shape, or one that only some blocks have
            shape = SHAPES[row.model or ""]
            heads, width = row.pruned_heads, row.pruned_ffn_width
            assert heads is not None
            assert width is not None
            attention, ffn = 4 * shape["hidden"] * shape["head_dim"], 3 * shape["hidden"]
            dense = shape["blocks"] * (attention * shape["heads"] + ffn * shape["ffn"])
            kept = row.pruned_blocks * (attention * heads + ffn * width) / dense
            assert row.sparsity == pytest.approx(1 - kept, abs=5e-4), row.id
            checked.add(row.family)
        assert checked == {"static-m", "static-nk"}

    def test_two_to_four_removes_half(self) -> None:
        rows = [row for row in load_published().rows if row.family == "static-k-2:4"]
        assert rows
        assert {row.sparsity for row in rows} == {0.5}


class TestMatching:
    def test_a_mean_covers_any_scenario_and_says_so(self) -> None:
        for batch, context in ((1, 1024), (32, 8192)):
            (row,) = matches(
                load_published(),
                gpu="rtx-pro-6000",
                phase="prefill",
                batch=batch,
                context=context,
                sparsity=0.5,
            )
            assert (row.measured_speedup, row.scope) == (1.88, Scope.MEAN)
            assert not row.gives_attainment

    def test_a_mean_over_both_phases_covers_each(self) -> None:
        for phase in ("prefill", "decode"):
            assert speedups(load_published(), gpu="rtx-pro-6000", phase=phase, sparsity=0.125) == [1.12]

    def test_a_point_beats_a_mean(self, tmp_path: Path) -> None:
        own = load_measured(
            write_csv(
                tmp_path,
                {**OWN, "scope": "mean", "batch": "", "context": "", "measured_speedup": "1.5"},
                {**OWN, "scope": "point"},
            )
        )
        assert speedups(own) == [1.25]
        assert speedups(own, batch=16) == [1.5]

    def test_a_gpu_bound_point_comes_before_a_host_bound_one(self, tmp_path: Path) -> None:
        slow = {**OWN, "scope": "host_bound", "measured_speedup": "0.8"}
        own = load_measured(write_csv(tmp_path, slow, {**OWN, "scope": "point"}))
        assert speedups(own) == [1.25, 0.8]

    @pytest.mark.parametrize(
        "other",
        [
            {"gpu": "h200-sxm"},
            {"model": "llama-2-7b"},
            {"family": "static-nk"},
            {"phase": "prefill"},
            {"batch": 16},
            {"context": 4097},
            {"sparsity": 0.256},
        ],
    )
    def test_another_scenario_finds_nothing(self, tmp_path: Path, other: dict[str, object]) -> None:
        assert speedups(load_measured(write_csv(tmp_path, OWN)), **other) == []

    @pytest.mark.parametrize("sparsity", [0.245, 0.25, 0.255])
    def test_sparsity_matches_within_half_a_point(self, tmp_path: Path, sparsity: float) -> None:
        assert speedups(load_measured(write_csv(tmp_path, OWN)), sparsity=sparsity) == [1.25]

    def test_array_elements_match_too(self, tmp_path: Path) -> None:
        own = load_measured(write_csv(tmp_path, OWN))
        assert speedups(own, batch=np.float64(8), context=np.int64(4096)) == [1.25]

    def test_data_types_are_told_apart_but_for_the_16_bit_ones(self, tmp_path: Path) -> None:
        own = load_measured(write_csv(tmp_path, {**OWN, "dtype": "fp16"}))
        assert speedups(own, dtype="bf16") == [1.25]
        assert speedups(own, dtype="fp8") == []
        assert speedups(load_measured(write_csv(tmp_path, OWN)), dtype="fp8") == [1.25]

    def test_requests_match_by_lengths(self) -> None:
        request = {"gpu": "rtx-3090", "model": "llama-2-7b", "phase": "request", "batch": 1, "context": 140}
        assert speedups(load_published(), **request, sparsity=6 / 32, output_len=128) == [1.136]
        assert speedups(load_published(), **request, sparsity=6 / 32, output_len=64) == []

    def test_partial_rows_and_foreign_gpus_are_never_matched(self) -> None:
        indexed = [
            row
            for index in (load_published().by_scenario, load_published().means)
            for rows in index.values()
            for row in rows
        ]
        assert Scope.PARTIAL in {row.scope for row in load_published().rows}
        assert Scope.PARTIAL not in {row.scope for row in indexed}
        assert OTHER not in {row.gpu for row in indexed}


class TestOwnFile:
    def test_names_become_infersims_where_it_has_one(self, tmp_path: Path) -> None:
        path = write_csv(
            tmp_path,
            {**OWN, "gpu": " NVIDIA H100 80GB HBM3 ", "model": "meta-llama/Llama-3.1-8B"},
            {**OWN, "gpu": "My-Card", "model": "My-Model"},
        )
        known, own = load_measured(path).rows
        assert (known.gpu, known.model) == ("h100-sxm", "llama-3.1-8b")
        assert (own.gpu, own.model) == ("My-Card", "My-Model")
        assert (known.source, known.scope) == ("own.csv", Scope.POINT)

    def test_parquet_reads_as_csv_does(self, tmp_path: Path) -> None:
        import pandas as pd

        frame = pd.read_csv(write_csv(tmp_path, OWN, {**OWN, "dense_ms": "10", "pruned_ms": "8"}))
        frame.to_parquet(tmp_path / "own.parquet")
        plain, timed = load_measured(tmp_path / "own.parquet").rows
        assert (plain.batch, plain.measured_speedup, plain.dense) == (8, 1.25, None)
        assert (timed.dense, timed.pruned, timed.unit) == (10.0, 8.0, Unit.MILLISECONDS)

    @pytest.mark.parametrize(
        ("column", "cell", "expected"),
        [
            ("sparsity", "25", "below 1"),
            ("sparsity", "nan", "below 1"),
            ("batch", "0", "at least 1"),
            ("batch", "2.5", "valid integer"),
            ("context", "", "a value"),
            ("context", "many", "valid integer"),
            ("measured_speedup", "-1", "above 0"),
            ("measured_speedup", "inf", "a finite number"),
            ("measured_speedup", "fast", "valid number"),
            ("measured_speedup", "", "a value"),
            ("phase", "training", "'prefill', 'decode'"),
            ("family", "static-q", "static-m, "),
            ("gpu", "", "a value"),
        ],
    )
    def test_a_bad_cell_is_told_with_its_place(
        self, tmp_path: Path, column: str, cell: str, expected: str
    ) -> None:
        path = write_csv(tmp_path, OWN, {**OWN, column: cell})
        with pytest.raises(FileContentError) as raised:
            load_measured(path)
        message = str(raised.value)
        assert message.startswith(f"own.csv, line 3: {column} = ")
        assert cell in message
        assert expected in message

    def test_a_speedup_that_is_not_dense_over_pruned_is_refused(self, tmp_path: Path) -> None:
        swapped = {**OWN, "dense_ms": "8", "pruned_ms": "10"}
        with pytest.raises(FileContentError, match=r"measured_speedup = 1\.25.*0\.800"):
            load_measured(write_csv(tmp_path, swapped))

    def test_figures_need_their_unit(self, tmp_path: Path) -> None:
        with pytest.raises(FileContentError, match="unit = None"):
            load_measured(write_csv(tmp_path, {**OWN, "dense": "10", "pruned": "8"}))

    def test_a_request_needs_its_output_length(self, tmp_path: Path) -> None:
        with pytest.raises(FileContentError, match="output_len = None"):
            load_measured(write_csv(tmp_path, {**OWN, "phase": "request"}))

    def test_published_facts_need_a_source(self, tmp_path: Path) -> None:
        with pytest.raises(FileContentError, match="id = None"):
            read_cited(write_csv(tmp_path, OWN))

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("own.csv", b"", "at least one"),
            ("own.csv", b"\xff\xfe\x00binary", "CSV text in UTF-8"),
            ("own.csv", b"gpu,model\nh100-sxm,a,b,c\n", "line 2"),
            ("own.parquet", b"not parquet", "a Parquet table"),
        ],
    )
    def test_damaged_files_are_named(self, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileContentError, match=expected):
            load_measured(tmp_path / name)

    def test_paths_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValueError, match="an existing file"):
            load_measured(tmp_path / "absent.csv")
        (tmp_path / "own.xlsx").touch()
        with pytest.raises(InvalidValueError, match=r"\.csv or \.parquet"):
            load_measured(tmp_path / "own.xlsx")


def test_units_know_which_way_is_faster() -> None:
    assert math.isclose(Unit.MILLISECONDS.speedup(dense=20.0, pruned=10.0), 2.0)
    assert math.isclose(Unit.TOKENS_PER_S.speedup(dense=50.0, pruned=100.0), 2.0)
