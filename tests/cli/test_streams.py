"""Standard output that is full, closed or broken, and Ctrl-C at any moment: one line, the right exit code."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infersim.cli.interrupts import STOPPED, StoppedError, interruptible
from infersim.cli.main import BROKEN_PIPE, USER_ERROR
from infersim.cli.streams import MAX_MESSAGE, tell
from tests.cli.conftest import Infersim

MODEL = ("-m", "llama-3.2-1b", "-g", "l4", "-c", "512")
COMMANDS = [
    ("--help",),
    ("compare", "--help"),
    ("models",),
    ("gpus", "--json"),
    ("predict", *MODEL),
    ("predict", *MODEL, "--csv"),
    ("compare", *MODEL, "--json"),
]
SOME = [
    command if command[0] in ("models", "gpus") else pytest.param(command, marks=pytest.mark.slow)
    for command in COMMANDS
]
FULL = Path("/dev/full")

REPOSITORY = Path(__file__).resolve().parents[2]


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "infersim", *arguments]


@pytest.mark.skipif(not FULL.is_char_device(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", SOME)
def test_a_full_disk_behind_standard_output_is_told(arguments: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            program(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY
        )
    assert done.returncode == USER_ERROR
    assert done.stderr == "Error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", COMMANDS[1:6:2])
def test_a_closed_standard_output_is_told_before_the_work(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *program(*arguments)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == USER_ERROR
    assert done.stderr.startswith("Error: standard output is closed")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" 2>&- <&-', "sh", *program("predict", *MODEL, "--html", str(page))],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0
    assert "llama-3.2-1b" in done.stdout
    assert "Wrote" not in done.stdout + page.read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", SOME)
def test_a_reader_that_went_away_is_no_error(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        program(*arguments), stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")


@pytest.mark.slow
def test_an_error_that_nobody_can_read_still_has_its_code() -> None:
    for command in ('"$@" 2>&-', '"$@" 2>/dev/full'):
        done = subprocess.run(
            ["/bin/sh", "-c", command, "sh", *program("gpus", "none")],
            stdout=subprocess.PIPE,
            check=False,
            cwd=REPOSITORY,
        )
        assert (done.returncode, done.stdout) == (USER_ERROR, b"")


def interrupted(arguments: tuple[str, ...], after_s: float, folder: Path) -> tuple[int, str]:
    """Exit code and standard error of a command in a session of its own that Ctrl-C reaches after a while."""
    with subprocess.Popen(
        [sys.executable, "-m", "infersim", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    ) as process:
        time.sleep(after_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


def check_interrupted(code: int, said: str) -> None:
    """Finished, stopped in one line, or not yet begun: Python itself was still starting."""
    if code in (-signal.SIGINT, 1) and "infersim/cli" not in said and "in run" not in said:
        return
    assert code in (0, STOPPED)
    if "spawn_main" in said and "infersim" not in said.replace(str(REPOSITORY), ""):
        # A worker was not yet begun: Python, which was starting it, shows where, and nothing of ours can.
        assert said.count("Stopped") == int(code == STOPPED)
        return
    lines = [line for line in said.splitlines() if not line.startswith(("Left out", "Wrote", "Warning"))]
    assert "Traceback" not in said
    assert len(lines) == int(code == STOPPED), said
    assert all(line.startswith("Stopped") for line in lines)


@pytest.mark.slow
def test_ctrl_c_at_any_moment_is_one_line(tmp_path: Path) -> None:
    draw = random.Random(3)
    codes = []
    for arguments in (("models",), ("compare", *MODEL), ("predict", *MODEL, "--html", "page.html")):
        for _ in range(4):
            code, said = interrupted(arguments, draw.uniform(0.04, 0.9), tmp_path)
            check_interrupted(code, said)
            codes.append(code)
    assert STOPPED in codes
    assert [path.name for path in tmp_path.iterdir() if path.name != "page.html"] == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_a_sweep_and_its_workers_in_one_line(tmp_path: Path, workers: str) -> None:
    draw = random.Random(int(workers))
    command = ("sweep", "families", "-o", "out.parquet", "-w", workers, "--chunk-rows", "500")
    for _ in range(3):
        code, said = interrupted(command, draw.uniform(0.8, 4), tmp_path)
        check_interrupted(code, said)
        parts = tmp_path / "out.parquet.parts"
        if "Stopped: finished parts" in said:
            assert list(parts.glob("*-*.parquet"))
        if (out := tmp_path / "out.parquet").exists():  # it stands as soon as it is whole
            assert out.read_bytes().endswith(b"PAR1")


def test_an_interrupt_that_a_library_makes_an_error_of_is_an_interrupt_again() -> None:
    def importing() -> None:
        with interruptible():
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise ImportError("numpy failed to import") from None

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        importing()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_is_lost_where_no_error_can_be_raised_comes_back() -> None:
    class Removed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def removing() -> None:
        with interruptible():
            removed = Removed()
            del removed
            time.sleep(1)
            pytest.fail("the interrupt was lost")

    with pytest.raises(KeyboardInterrupt):
        removing()


def test_other_errors_and_what_a_command_says_of_its_stop_are_left_as_they_are() -> None:
    def failing(error: Exception) -> None:
        with interruptible():
            raise error

    for error in (ValueError("other"), StoppedError("parts are kept")):
        with pytest.raises(type(error), match=str(error)):
            failing(error)


def test_a_stop_tells_what_is_kept(infersim: Infersim, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise StoppedError("finished parts are beside out")

    monkeypatch.setattr("infersim.workload.presets.list_models", stopped)
    ran = infersim("models")
    assert (ran.code, ran.err) == (STOPPED, "Stopped: finished parts are beside out\n")


def test_too_little_memory_is_told(infersim: Infersim, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy() -> None:
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr("infersim.workload.presets.list_models", greedy)
    ran = infersim("models")
    assert ran.code == USER_ERROR
    assert ran.err == "Error: there is too little memory for this (Unable to allocate 7 TiB)\n"


def test_messages_are_of_a_sane_length_and_obeyed_by_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell("Error: \x1b[31mred\x07 " + "x" * 100_000)
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\x07" not in said
    assert len(said) < MAX_MESSAGE + 100
    assert "more characters" in said
    assert said.count("\n") == 1
