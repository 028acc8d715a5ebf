"""What all importers do alike: refuse what is not theirs, say what they expect, give checked samples."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from infersim.domain.errors import FileContentError, InfersimError, UnknownNameError
from infersim.fitting.importers.importing import import_source, importers
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.writing import write_samples

TABLES = (
    "aiconfigurator",
    "vidur",
    "neusight",
    "slidesparse",
    "alibaba-infersim",
    "llm-serving-sim",
    "cutlass",
)
OTHERS = ("nvbench", "torch-benchmark", "torch-profiler")
SOURCES = (*TABLES, *OTHERS)


def test_every_source_is_registered_by_its_name() -> None:
    assert tuple(importers()) == SOURCES
    assert all(importer.name == name for name, importer in importers().items())


def test_an_unknown_source_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"source 'vidor'.*vidur.*slidesparse"):
        import_source("vidor", Path())


@pytest.mark.parametrize("source", TABLES)
def test_a_file_of_another_source_is_refused_with_the_columns_expected(tmp_path: Path, source: str) -> None:
    path = tmp_path / "something.csv"
    path.write_text("city,inhabitants\nUlm,126000\n")
    with pytest.raises(FileContentError) as refusal:
        import_source(source, path)
    assert str(path) in str(refusal.value)
    assert "columns = 'city, inhabitants'" in str(refusal.value)


@pytest.mark.parametrize("source", SOURCES)
def test_a_folder_without_the_sources_files_is_refused_with_their_names(tmp_path: Path, source: str) -> None:
    (tmp_path / "readme.md").write_text("nothing here")
    with pytest.raises(InfersimError, match=f"{tmp_path.name}.*(csv|txt|json)"):
        import_source(source, tmp_path)
    with pytest.raises(InfersimError, match="nowhere"):
        import_source(source, tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"# only: comments\n", b"\xff\xfe\x00", b'a,b\n"1,2\n'])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gemm_perf.txt"
    path.write_bytes(content)
    with pytest.raises(FileContentError, match="expected"):
        import_source("aiconfigurator", path)


def test_imported_samples_can_be_written_and_read_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "bench_data" / "gemm" / "h20" / "data.csv"
    source.parent.mkdir(parents=True)
    source.write_text("m,k,n,latency_us,mfu\n16,2048,6144,10.5,0.1\n32,2048,6144,-1,0.1\n")
    read = import_source("alibaba-infersim", tmp_path, skip_bad=True)
    assert [(row.file, row.line) for row in read.set_aside] == [(str(source), 3)]
    assert read.account().startswith("2 rows read, 1 row kept")
    write_samples(read.frame, tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(read_samples(tmp_path / "samples.parquet").frame, read.frame)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gemm_perf.txt", "gemm_dtype,m,n,k,latency\nbfloat16,1,256,512,0.0025,7\n"),
        ("generation_attention_perf.txt", "op_name,latency\n,0.01\n,0.02\n"),
    ],
)
def test_rows_with_more_cells_than_names_and_ops_without_a_name(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InfersimError, match=name):
        import_source("aiconfigurator", path, gpu="h100-sxm")
