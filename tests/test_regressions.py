"""Inputs that once ended in an exception of another library: each is refused by name now."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError

HALF = "\ud800"
"""Half of a character: JSON and Python can say it, UTF-8 cannot."""


def test_half_a_character_in_a_measurement_log(tmp_path: Path) -> None:
    log = tmp_path / "samples.jsonl"
    log.write_text('{"gpu": "h100-sxm", "kind": "\\ud800", "latency_us": 1}\n', encoding="ascii")
    with pytest.raises(InfersimError, match=r"samples\.jsonl: text = .*ud800.*; expected whole characters"):
        sim.read_samples(log)


@pytest.mark.parametrize("column", ["gpu", "kind", "dtype", "source"])
def test_half_a_character_in_a_frame_of_samples(column: str) -> None:
    row: dict[str, object] = {
        "gpu": "l4",
        "kind": "gemm",
        "dtype": "bf16",
        "m": 1,
        "n": 64,
        "k": 64,
        "latency_us": 9.0,
    }
    frame = pd.DataFrame(
        {name: pd.Series([value], dtype=object) for name, value in (row | {column: HALF}).items()}
    )
    with pytest.raises(InfersimError):
        sim.read_samples(frame)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, {1, 2}])
def test_a_list_for_a_data_type_in_a_frame_of_samples(cell: object) -> None:
    row = {"gpu": "l4", "kind": "gemm", "m": 1, "n": 64, "k": 64, "latency_us": 9.0}
    frame = pd.DataFrame({**{name: [value] * 2 for name, value in row.items()}, "dtype": ["BF16", cell]})
    with pytest.raises(InfersimError, match="line 2: dtype = "):
        sim.read_samples(frame)
