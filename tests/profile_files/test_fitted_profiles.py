"""A profile's fit: its own, a borrowed one, or none; never another GPU's by mistake; read quickly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.domain.fit import Fit
from infersim.domain.profile import Calibration
from infersim.profile_files import load_profile, profiles, read_fit, write_fit
from infersim.profile_files.profiles import datasheet_alone
from tests.profile_files.example_files import write_example
from tests.profile_files.example_fits import example_fit, example_kind

BORROWING = ('vendor = "nvidia"', 'vendor = "nvidia"\nfit_from = "lender"')


def test_without_a_fit_a_profile_leans_on_the_pool(tmp_path: Path) -> None:
    profile = load_profile(write_example(tmp_path))
    assert (profile.calibration, profile.fit_source) == (Calibration.TRANSFERRED, None)
    assert profile.fit is not None
    assert all(kind.transferred for kind in profile.fit.kinds.values())


def test_without_a_pool_it_is_uncalibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "shipped_pool", lambda: None)
    profile = load_profile(write_example(tmp_path))
    assert (profile.fit, profile.calibration, profile.fit_source) == (None, Calibration.NONE, None)


def test_the_datasheet_alone_has_neither(tmp_path: Path) -> None:
    profile = datasheet_alone(load_profile(write_example(tmp_path)))
    assert (profile.fit, profile.calibration, profile.fit_source) == (None, Calibration.NONE, None)


def test_the_fit_beside_the_file_is_read(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    write_fit(example_fit("example"), tmp_path / "example.fit.json")
    profile = load_profile(path)
    assert profile.calibration is Calibration.FITTED
    assert profile.fit_source is None
    assert profile.fit is not None
    own = {name for name, kind in profile.fit.kinds.items() if not kind.transferred}
    assert own == {"gemm.bf16", "attention.decode"}


def test_what_was_transferred_is_not_written_as_measured(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    write_fit(example_fit("example"), tmp_path / "example.fit.json")
    fit = load_profile(path).fit
    assert fit is not None
    assert "attention.prefill" in fit.kinds
    write_fit(fit, tmp_path / "again.fit.json")
    assert read_fit(tmp_path / "again.fit.json").kinds.keys() == {"gemm.bf16", "attention.decode"}


def test_a_fit_is_borrowed_from_the_gpu_that_the_file_names(tmp_path: Path) -> None:
    path = write_example(tmp_path, BORROWING)
    write_fit(example_fit("lender"), tmp_path / "lender.fit.json")
    profile = load_profile(path)
    assert (profile.calibration, profile.fit_source) == (Calibration.BORROWED, "lender")
    assert profile.fit is not None
    assert profile.fit.gpu == "lender"


def test_an_own_fit_is_preferred_to_a_borrowed_one(tmp_path: Path) -> None:
    path = write_example(tmp_path, BORROWING)
    write_fit(example_fit("lender"), tmp_path / "lender.fit.json")
    write_fit(example_fit("example"), tmp_path / "example.fit.json")
    assert load_profile(path).calibration is Calibration.FITTED


def test_a_lender_without_a_fit_leaves_the_profile_to_the_pool(tmp_path: Path) -> None:
    # v100-sxm is shipped, and no measurements of it are published that a fit could be shipped from.
    path = write_example(tmp_path, (BORROWING[0], BORROWING[1].replace("lender", "v100-sxm")))
    assert load_profile(path).calibration is Calibration.TRANSFERRED


@pytest.mark.parametrize(("replacements", "file"), [((), "example"), ((BORROWING,), "lender")])
def test_a_fit_of_another_gpu_is_refused(
    tmp_path: Path, replacements: tuple[tuple[str, str], ...], file: str
) -> None:
    path = write_example(tmp_path, *replacements)
    write_fit(example_fit("h100-sxm"), tmp_path / f"{file}.fit.json")
    with pytest.raises(FileContentError, match=rf"^{file}.fit.json: gpu = 'h100-sxm'.*'{file}'"):
        load_profile(path)


@pytest.mark.no_cover  # it is timed
def test_a_profile_with_a_large_fit_loads_in_20_ms(tmp_path: Path) -> None:
    names = ("gemm.bf16", "gemm.fp8", "gemm.fp32", "attention.decode")
    kinds = {name: example_kind(name, knots=(10, 20, 20)) for name in names}
    path = write_example(tmp_path)
    write_fit(Fit(gpu="example", kinds=kinds, provenance={}), tmp_path / "example.fit.json")
    load_profile(path)  # the first load imports pydantic
    seconds = []
    for _ in range(10):
        start = time.process_time()
        load_profile(path)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.020


def test_a_shipped_profile_is_read_once_and_anew_when_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_example(tmp_path)
    monkeypatch.setattr(profiles, "data_folder", lambda _: tmp_path)
    monkeypatch.setattr(profiles, "shipped_file", lambda name: tmp_path / f"{name}.toml")
    first = load_profile("example")
    assert load_profile("example") is first
    write_fit(example_fit("example"), tmp_path / "example.fit.json")
    fitted = load_profile("example")
    assert (first.calibration, fitted.calibration) == (Calibration.TRANSFERRED, Calibration.FITTED)
    path.write_text(path.read_text().replace("sm_count = ", "sm_count = 1", 1), encoding="utf-8")
    with pytest.raises(FileContentError):
        load_profile("example")
