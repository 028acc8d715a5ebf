"""Profile files with a wrong layout: the message names file, key, value and expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.profile_files import load_profile
from tests.profile_files.example_files import EXAMPLE, write_example


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sm_count = 100", 'sm_count = "many"', "chip.sm_count = 'many'; expected an integer"),
        ("sm_count = 100", "sm_count = 99.5", "chip.sm_count = 99.5; expected an integer"),
        ("sm_count = 100\n", "", "chip.sm_count = None; expected a value, but the key is missing"),
        ("sm_count = 100", "sm_count = true", "chip.sm_count = True; expected an integer"),
        ("capacity_gb = 80", 'capacity_gb = "80"', "memory.capacity_gb = '80'; expected a number"),
        ("capacity_gb = 80", "capacity_gb = nan", "memory.capacity_gb = nan; expected a finite number"),
        ("capacity_gb = 80", "capacity_gb = inf", "memory.capacity_gb = inf; expected a finite number"),
        ("capacity_gb = 80", "capacity_gib = 80", "memory.capacity_gb = None; expected a value"),
        ("tdp_w = 400", "tdp_w = 400\nfans = 2", "chip.fans = 2; expected no such key here"),
        ("bf16 = {", "bf61 = {", "matrix.bf61 = 'bf61'; expected one of 'fp32', 'tf32', 'bf16'"),
        ('title = "An example"', 'title = ""', "title = ''; expected a text that is not empty"),
        ("unverified = [", "unverified = [1, ", "unverified[0] = 1; expected a text"),
        ('"chip.*" = "made up"\n', "", "chip.sm_count = 100; expected a source for it"),
        ('"chip.*"', '"chips.*"', "sources = 'chips.*'; expected a number's key"),
        ('["memory.capacity_gb"]', '["memory.size"]', "unverified = 'memory.size'; expected a number's key"),
        ("[sources]", '[exceptions]\n"a.b" = "c"\n[sources]', "exceptions.a.b = 'c'; expected the key"),
        ('vendor = "nvidia"', 'vendor = "nvidia"\nfit_from = "h101"', "fit_from = 'h101'; expected one of"),
    ],
)
def test_the_message_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(FileContentError) as caught:
        load_profile(write_example(tmp_path, (old, new)))
    assert str(caught.value).startswith(f"example.toml: {message}")
    assert caught.value.expected


def test_damaged_toml_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    path.write_text(EXAMPLE[:200], encoding="utf-8")
    with pytest.raises(FileContentError, match=r"^cut.toml: .*TOML.*(line|end of document)"):
        load_profile(path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileContentError, match=r"binary.toml: byte 0 .*UTF-8"):
        load_profile(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"gone.toml.*\ba10\b"):
        load_profile(str(tmp_path / "gone.toml"))


def test_a_path_that_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"profile\.json.*\.toml"):
        load_profile(tmp_path / "profile.json")
