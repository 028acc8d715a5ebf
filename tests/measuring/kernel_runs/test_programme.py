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

SCRIPT = Path(__file__).resolve().parents[3] / "calibration" / "run_on_gpu.sh"

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


FITTED = ["calibrate", "calibrate", "validate"]
ON_A_GPU = [*["measure kernels"] * 5, *FITTED, *["measure model"] * 2, *["compare"] * 2]
ON_A_CPU = ["measure machine", "measure kernels", *FITTED, "measure model", "compare"]


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ((), ON_A_GPU),
        (("--device", "cpu", "--out", "folder"), ON_A_CPU),
        (("--device", "cuda:1", "--profile", "my gpu.toml"), ON_A_GPU),
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
    assert "held-out" in done.stderr
    assert [line.split()[0] for line in log.read_text().splitlines()] == [
        "measure",
        "measure",
        "calibrate",
        "calibrate",
        "validate",
        "measure",
        "compare",
    ]


CHECKED = (
    '{"record": "samples", "version": 1}\n'
    '{"record": "environment", "gpu": "GPU_NAME", "compute_capability": "7.5"}\n'
    '{"plan_row": 0, "gpu": "GPU_NAME", "kind": "gemm", "latency_us": 1.0, "status": "ok"}\n'
    '{"plan_row": 1, "gpu": "GPU_NAME", "kind": "sparse_gemm", "status": "unsupported: too old"}\n'
)


def run_with(tmp_path: Path, program: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The programme for a GPU with a shell script in the place of infersim; and how it was called."""
    called, file = tmp_path / "called", tmp_path / "infersim"
    file.write_text(f'#!/bin/bash\necho "$*" >> {shlex.quote(str(called))}\n{program}\n')
    file.chmod(0o755)
    done = subprocess.run(
        ["bash", str(SCRIPT), "--out", str(tmp_path / "out")],
        env={"PATH": "/usr/bin:/bin", "INFERSIM": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, called.read_text().splitlines()


def checked(tmp_path: Path, gpu: str) -> str:
    """What the first step leaves, as a line of shell."""
    log = tmp_path / "check.jsonl"
    log.write_text(CHECKED.replace("GPU_NAME", gpu))
    return (
        f'[[ "$*" == *"--plan check"* ]] && cp {shlex.quote(str(log))} {shlex.quote(str(tmp_path / "out"))}'
    )


def test_where_nothing_can_be_measured_the_programme_ends_at_once(tmp_path: Path) -> None:
    done, called = run_with(tmp_path, 'echo "CUDA cannot be used here"; exit 2')

    assert done.returncode == 1
    assert len(called) == 1
    assert "CUDA cannot be used here" in done.stdout
    assert "nothing can be measured" in done.stderr


def test_a_gpu_without_a_datasheet_is_told_before_it_is_measured(tmp_path: Path) -> None:
    program = f'{checked(tmp_path, "gpu-of-tomorrow")}; [ "$1" != gpus ]'

    done, called = run_with(tmp_path, program)

    assert done.returncode == 1
    assert [line.split()[0] for line in called] == ["measure", "gpus"]
    assert "no datasheet" in done.stderr
    assert "sparse_gemm: unsupported: too old" in done.stdout


def test_a_plan_that_takes_its_process_with_it_is_left_behind_and_stacks_stay_as_they_are(
    tmp_path: Path,
) -> None:
    csv = shlex.quote(str(tmp_path / "out" / "models.csv"))
    program = f"""
{checked(tmp_path, "t4")}
if [[ "$*" == *models.csv* && "$1" == measure ]]; then
    [ -f {csv} ] && exit 0
    echo "plan,llama-3.1-8b (8 of 32 layers)" > {csv}
    echo "static-nk: crashed: nothing works; the same command goes on after it"
    exit 2
fi
exit 0"""

    done, called = run_with(tmp_path, program)

    assert done.returncode == 0
    short = [line for line in called if "/models.csv" in line]
    assert [line.split()[0] for line in short] == ["measure", "measure", "compare"]
    assert ["--layers 8" in line for line in short] == [False, True, True]
    assert all("--dtype fp16" in line for line in short), "no bf16 before compute capability 8"
    assert (tmp_path / "out" / "profile.toml").exists()


def test_unknown_options_explain_the_script() -> None:
    done = subprocess.run(["bash", str(SCRIPT), "--gpu", "0"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--out" in done.stderr
