"""The documentation of the formats: complete, and its examples are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

from infersim.fitting.importers.importing import importers
from infersim.fitting.samples.reading import read_samples
from infersim.fitting.samples.schema import COLUMN_NAMES, FORMAT_VERSION, Kind

TEXT = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_every_column_kind_and_source_is_documented() -> None:
    assert f"version {FORMAT_VERSION}" in TEXT
    for name in (*COLUMN_NAMES, *Kind, *importers()):
        assert f"`{name}`" in TEXT


def test_the_example_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```csv\n(.*?)```", TEXT, flags=re.DOTALL)
    path = tmp_path / "samples.csv"
    path.write_text(example)
    read = read_samples(path)
    assert read.frame["dtype"].tolist() == ["bf16", "fp8"]
    assert read.frame["weight_copies"].isna().tolist() == [True, False]
