"""The walk to a new GPU, followed: one TOML file, and every command takes it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from _generate.excerpts import excerpt
from _generate.pages import DOCS, parts
from infersim.domain.profile import Calibration
from infersim.files.locations import data_folder
from infersim.profile_files import names
from infersim.profile_files.profiles import list_profiles, load_profile
from tests.cli.conftest import Infersim, answered, infersim
from tests.docs.walks import block, commands
from tests.fitting.synthetic_samples import gemm_shapes, known_kind, known_profile, measured

__all__ = ["answered", "infersim"]  # fixtures

PAGE = "add-a-gpu.md"
NAME = "my-card"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the card's file put together from the page."""
    tables = [excerpt(json.loads(question)) for kind, question, _ in parts(DOCS / PAGE) if kind == "excerpt"]
    text = [
        block(PAGE, "mine.toml").text,
        *(table.split("\n", 1)[1].removesuffix("```\n") for table in tables),
    ]
    (tmp_path / "mine.toml").write_text("\n".join(text), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _command(name: str, *, having: str = "") -> list[str]:
    """The page's command of that name."""
    (found,) = (each for each in commands(PAGE) if each[0] == name and (having in each or not having))
    return found


def test_it_loads_with_what_other_gpus_tell_of_it(folder: Path) -> None:
    profile = load_profile(folder / "mine.toml")
    assert (profile.name, profile.calibration) == (NAME, Calibration.TRANSFERRED)
    like = load_profile("h100-sxm")
    assert (profile.chip, profile.memory) == (like.chip, like.memory)


@pytest.mark.usefixtures("folder")
def test_it_is_shown_explained_predicted_and_compared(answered: Infersim) -> None:
    shown, explained = (answered(*each).out for each in commands(PAGE) if each[0] == "gpus")
    assert "My card (my-card); calibration: transferred" in shown
    assert NAME in explained
    assert NAME in answered(*_command("predict")).out
    rows = answered(*_command("compare"), "--json").rows
    assert {row["gpu"] for row in rows} == {NAME, "h100-sxm"}


@pytest.mark.slow
def test_it_is_calibrated_and_validated_with_its_samples(answered: Infersim, folder: Path) -> None:
    truth = replace(known_profile(known_kind("gemm.bf16", launch_us=4.0)), name=NAME)
    samples = measured(gemm_shapes(400, 1).assign(gpu=NAME), truth, noise=0.03)
    samples.to_json(folder / "samples.jsonl", orient="records", lines=True)
    assert _command("measure")[-1] == "samples.jsonl"
    answered(*_command("calibrate"))
    fitted = load_profile(folder / "mine.toml")
    assert fitted.calibration is Calibration.FITTED
    assert fitted.fit is not None
    assert fitted.fit.kinds["gemm.bf16"].rows < len(samples)
    rows = answered(*_command("validate"), "--json").rows
    (whole,) = (row for row in rows if row["division"] == "all")
    assert whole["rows"] == len(samples)
    assert whole["mape"] < 0.06  # the noise is 3 %


@pytest.mark.slow
def test_shipped_it_is_listed_and_found_by_what_the_device_reports(
    answered: Infersim, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = folder / "hw_profiles"
    shutil.copytree(data_folder("hw_profiles"), shelf)
    shutil.copy(folder / "mine.toml", shelf / f"{NAME}.toml")
    before = list_profiles()
    monkeypatch.setattr(names, "data_folder", lambda name: folder / name)
    assert set(list_profiles()) - set(before) == {NAME}
    assert NAME in answered("gpus").out
    assert load_profile("nvidia my card 80gb").name == NAME
