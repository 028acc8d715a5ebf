"""The unattended programme: bash reads its script, and its commands are ones that infersim has."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from infersim.cli.main import app

SCRIPT = Path(__file__).resolve().parents[2] / "calibration" / "run_on_gpu.sh"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")


def printed(*arguments: str) -> Iterator[list[str]]:
    done = subprocess.run(
        ["bash", str(SCRIPT), "--print", *arguments], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        program, *command = shlex.split(line)
        assert program == "infersim"
        yield command


def parse(arguments: list[str]) -> str:
    """Read a command line as the program does, without running it; returns the command's name."""
    command = typer.main.get_command(app)
    names, rest = [], list(arguments)
    while isinstance(command, typer.core.TyperGroup):
        names.append(rest.pop(0))
        command = command.commands[names[-1]]
    command.make_context(names[-1], rest)
    return " ".join(names)


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (
            (),
            [
                "measure kernels",
                "measure kernels",
                "calibrate",
                "calibrate",
                "validate",
                "measure model",
                "compare",
            ],
        ),
        (
            ("--device", "cpu", "--out", "folder"),
            [
                "measure machine",
                "measure kernels",
                "calibrate",
                "calibrate",
                "validate",
                "measure model",
                "compare",
            ],
        ),
        (
            ("--device", "cuda:1", "--profile", "my gpu.toml"),
            [
                "measure kernels",
                "measure kernels",
                "calibrate",
                "calibrate",
                "validate",
                "measure model",
                "compare",
            ],
        ),
    ],
)
def test_every_command_is_one_that_infersim_has(arguments: tuple[str, ...], commands: list[str]) -> None:
    assert [parse(command) for command in printed(*arguments)] == commands


def test_a_failed_step_does_not_stop_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "called"
    program = tmp_path / "infersim"
    program.write_text(f'#!/bin/sh\necho "$1 $2" >> {shlex.quote(str(log))}\n[ "$1" != calibrate ]\n')
    program.chmod(0o755)

    done = subprocess.run(
        ["bash", str(SCRIPT), "--device", "cpu", "--out", str(tmp_path / "out")],
        env={"PATH": "/usr/bin:/bin", "INFERSIM": str(program)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2  # both calibrations
    assert "held-out did not succeed or ran out of time; going on" in done.stderr
    assert [line.split()[0] for line in log.read_text().splitlines()] == [
        "measure",
        "measure",
        "calibrate",
        "calibrate",
        "validate",
        "measure",
        "compare",
    ]


def test_unknown_options_explain_the_script() -> None:
    done = subprocess.run(["bash", str(SCRIPT), "--gpu", "0"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Everything that a GPU is measured for" in done.stderr
