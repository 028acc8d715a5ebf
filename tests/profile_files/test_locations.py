"""Data folders are found in a checkout and in an installed package, and their absence is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.profile_files import locations
from infersim.profile_files.locations import data_folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package folder that `locations` takes for infersim's."""
    package = tmp_path / "infersim"
    package.mkdir()
    monkeypatch.setattr(locations, "_PACKAGE", package)
    data_folder.cache_clear()
    yield package
    data_folder.cache_clear()


def test_a_checkout_has_its_data_beside_the_package(package: Path) -> None:
    (package.parent / "calibration").mkdir()
    assert data_folder("calibration") == package.parent / "calibration"


def test_an_installed_package_has_it_inside_and_trusts_no_neighbour(package: Path) -> None:
    (package.parent / "calibration").mkdir()
    (package / "data" / "calibration").mkdir(parents=True)
    assert data_folder("calibration") == package / "data" / "calibration"


def test_a_damaged_installation_says_where_it_looked(package: Path) -> None:
    with pytest.raises(InfersimError, match="'calibration'") as raised:
        data_folder("calibration")
    assert str(package / "data" / "calibration") in str(raised.value)


def test_this_checkout_has_both_folders() -> None:
    for name in ("hw_profiles", "calibration"):
        assert data_folder(name).is_dir()
