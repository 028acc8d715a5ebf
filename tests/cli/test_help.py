"""`--help` in words a person knows, parse errors with an example, `--version` and `doctor`."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from infersim.cli.commands.inventories import doctor
from infersim.cli.main import app
from infersim.cli.usage.examples import EXAMPLES
from infersim.cli.usage.help import _GROUPS
from tests.cli.conftest import Infersim

GROUP = typer.main.get_command(app)
NAMES = [name for name in GROUP.commands if name != "measure"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", [*NAMES, "measure kernels", "measure model"])
def test_help_shows_no_type_of_a_programmer(answered: Infersim, command: str) -> None:
    text = answered(*command.split(), "--help").out
    assert not re.search(r"<(?:str|int|float|path|Path|list)|\[Path\]|\bTEXT\b|\bINTEGER\b|\bFLOAT\b", text)


@pytest.mark.parametrize("command", NAMES)
def test_help_ends_with_two_examples_that_are_parsed(answered: Infersim, command: str) -> None:
    """Every option of an example exists: the parser takes it, and nothing is run."""
    last = answered(command, "--help").out.partition("Examples:\n")[2].splitlines()
    assert [line.strip() for line in last] == [
        f"infersim {command} {words}".strip() for words in EXAMPLES[command]
    ]
    found = GROUP.commands[command]  # type: ignore[attr-defined]
    for words in EXAMPLES[command]:
        found.make_context(command, words.split())


def test_options_stand_in_groups(answered: Infersim) -> None:
    text = answered("compare", "--help").out
    titles = re.findall(r"^(\S.*):$", text, flags=re.MULTILINE)
    assert titles == [*_GROUPS, "Other options", "Examples"]
    hardware = text.partition("Hardware:")[2].partition("Output:")[0]
    assert "--gpu NAME[,NAME...]" in hardware
    assert "--plan FILE" in text.partition("Scenario:")[0]


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (("compare", "-m", "llama-3.2-1b"), "--gpu h100-sxm"),
        (("compare", "-m", "llama-3.2-1b", "-g", "l4", "-b", "many"), "--batch 1,8"),
        (("compare", "-m", "llama-3.2-1b", "-g", "l4", "--layers", "few"), "--layers 4"),
        (("predict", "-m", "llama-3.2-1b", "-g", "l4"), "--context 4096"),
        (("predict", "-m", "llama-3.2-1b", "-g", ","), "--gpu h100-sxm"),
    ],
)
def test_a_parse_error_shows_how_the_option_is_typed(
    infersim: Infersim, arguments: tuple[str, ...], example: str
) -> None:
    ran = infersim(*arguments)
    assert ran.code == 2
    assert example in ran.err


def test_the_version_is_the_installed_one(answered: Infersim) -> None:
    assert answered("--version").out == f"infersim {version('infersim')}\n"


def test_doctor_says_what_is_there_and_what_is_not(
    answered: Infersim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 570.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(doctor.EXTRAS, "made-up", ("no-such-package",))
    rows = {row["what"]: row for row in answered("doctor", "--json").rows}
    assert rows["infersim"]["found"].startswith(version("infersim"))
    assert rows["numpy"]["found"] == version("numpy")
    assert rows["GPU"]["found"].startswith("NVIDIA L4")
    assert rows["browser"]["found"] == doctor.MISSING
    assert rows["extra made-up"]["note"] == "pip install 'infersim[made-up]' adds no-such-package"
    assert "extra made-up" in answered("doctor").out.splitlines()[1]


@pytest.mark.parametrize("said", ["exit 9", "sleep 0", "kill $$"])
def test_a_driver_that_names_no_gpu_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{said}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert doctor._gpu().found == doctor.MISSING
