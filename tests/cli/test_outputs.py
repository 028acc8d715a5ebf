"""Outputs that would cost the user a file are refused before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infersim.cli.outputs import check_outputs
from infersim.domain.errors import InvalidValueError


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    samples = tmp_path / "samples.csv"
    samples.write_text("kept")
    link = tmp_path / "link.csv"
    link.symlink_to(samples)
    for output in (samples, link, tmp_path / "." / "samples.csv"):
        with pytest.raises(InvalidValueError, match=f"{output.name}.*reads"):
            check_outputs([output], [str(samples), None])
    assert samples.read_text() == "kept"


def test_two_outputs_need_two_places(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="written already"):
        check_outputs([tmp_path / "a", None, tmp_path / "a"], [])
    check_outputs([tmp_path / "a", tmp_path / "b"], [tmp_path / "c"])


def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidValueError, match="a regular file"):
        check_outputs([pipe], [])


def test_files_of_a_folder_that_is_read_are_inputs(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("kept")
    (tmp_path / "page.html").write_text("of the last run")
    with pytest.raises(InvalidValueError, match=r"config\.json.*reads"):
        check_outputs([tmp_path / "config.json"], [str(tmp_path)])
    with pytest.raises(InvalidValueError, match=r"config\.json.*reads"):
        check_outputs([tmp_path / "config.json"], [tmp_path / "model.safetensors.index.json"])
    check_outputs([tmp_path / "page.html", tmp_path / "new.json"], [str(tmp_path)])
    check_outputs([tmp_path / "config.json"], [])


def test_each_of_several_inputs_with_commas_is_one(tmp_path: Path) -> None:
    sheet = tmp_path / "mine.toml"
    sheet.write_text("kept")
    with pytest.raises(InvalidValueError, match=r"mine\.toml.*reads"):
        check_outputs([sheet], [f"l4, {sheet}"])
