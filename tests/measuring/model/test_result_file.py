"""The file of measured speedups: whole after each row, and of one setting."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.measuring.model.result_file import ResultFile

SETTING = {
    "gpu": "cpu-2-threads",
    "device": "A CPU",
    "threads": 2,
    "clock": "wall",
    "torch": "2.13.0",
    "model": "tiny",
    "model_id": "abc",
    "dtype": "fp32",
    "execution": "fused",
    "cuda_graph": None,
}
PLANS = {"static-m 50 %": "one", "static-nk 50 %": "two"}


def row(plan: str = "static-m 50 %", phase: str = "decode", **values: object) -> dict[str, object]:
    key = {"plan": plan, "phase": phase, "batch": 1, "context": 64, "plan_id": PLANS.get(plan, "other")}
    return {**key, "status": "ok", "measured_speedup": 1.5, **values}


@pytest.fixture(params=[".csv", ".parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"measured{request.param}"


def test_every_row_is_in_the_file_at_once(path: Path) -> None:
    first = ResultFile(path, SETTING, PLANS)
    for count, phase in enumerate(("prefill", "decode"), start=1):
        first.append(row(phase=phase))
        assert len(ResultFile(path, SETTING, PLANS).rows) == count
    assert [name.name for name in path.parent.iterdir()] == [path.name], "nothing beside it"


def test_a_later_run_knows_what_is_there(path: Path) -> None:
    ResultFile(path, SETTING, PLANS).append(row())
    later = ResultFile(path, SETTING, PLANS)
    assert later.has(row())
    assert not later.has(row(phase="prefill"))
    assert not later.has(row(plan="static-nk 50 %"))
    later.append(row(plan="static-nk 50 %", status="out of memory", measured_speedup=math.nan))
    assert ResultFile(path, SETTING, PLANS).has(row(plan="static-nk 50 %"))


@pytest.mark.parametrize(
    ("name", "value"), [("gpu", "h100-sxm"), ("threads", 1), ("model_id", "abd"), ("cuda_graph", True)]
)
def test_another_setting_is_refused(path: Path, name: str, value: object) -> None:
    ResultFile(path, SETTING, PLANS).append(row())
    before = path.read_bytes()
    with pytest.raises(InfersimError, match=rf"{name} = .*--out"):
        ResultFile(path, {**SETTING, name: value}, PLANS)
    assert path.read_bytes() == before


def test_a_plan_that_changed_under_its_name_is_refused(path: Path) -> None:
    ResultFile(path, SETTING, PLANS).append(row())
    with pytest.raises(InfersimError, match=r"plan 'static-m 50 %' = 'one'.*'three'"):
        ResultFile(path, SETTING, {"static-m 50 %": "three"})


def test_plans_that_were_measured_before_may_be_left_out_later(path: Path) -> None:
    ResultFile(path, SETTING, PLANS).append(row())
    assert len(ResultFile(path, SETTING, {}).rows) == 1


@pytest.mark.parametrize("name", ["measured.txt", "missing/measured.csv"])
def test_impossible_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match="out ="):
        ResultFile(tmp_path / name, SETTING, PLANS)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="no column gpu"):
        ResultFile(path, SETTING, PLANS)
    damaged = tmp_path / "other.parquet"
    damaged.write_bytes(b"no table")
    with pytest.raises(InfersimError, match=r"other\.parquet"):
        ResultFile(damaged, SETTING, PLANS)


def test_a_full_disk_costs_the_new_row_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = ResultFile(path, SETTING, PLANS)
    results.append(row())
    before = path.read_bytes()

    def full(*_: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InfersimError, match=r"No space left on device.*\b1 rows"):
        results.append(row(phase="prefill"))
    assert path.read_bytes() == before
    assert [name.name for name in path.parent.iterdir()] == [path.name]


def test_columns_of_later_rows_are_written_too(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    results = ResultFile(path, SETTING, PLANS)
    results.append({**row(), "status": "out of memory"})
    results.append(row(phase="prefill", dense_ms=3.0))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [each["dense_ms"] for each in rows] == ["", "3.0"]
