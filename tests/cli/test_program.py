"""The program itself: what it loads, how soon it answers, what becomes of a broken pipe."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from infersim.cli.main import BROKEN_PIPE, app
from tests.cli.conftest import Infersim
from tests.report.handmade import check_order

RUN = "from infersim.cli.main import run; run()"
HEAVY = {"numpy", "scipy", "pandas", "plotly", "pyarrow", "pydantic", "torch"}


def program(*arguments: str) -> list[str]:
    """The command of a fresh process; the code stands in for the installed script."""
    return [sys.executable, "-W", "error", "-c", RUN, *arguments]


def test_help_names_every_command(answered: Infersim) -> None:
    text = answered("--help").out
    registered = {command.name for command in app.registered_commands}
    assert {"compare", "predict", "gemm", "reproduce", "gpus", "models", "import"} <= registered
    listed = {
        line.split()[0] for line in text.partition("Commands:")[2].splitlines() if line.startswith("  ")
    }
    assert registered <= listed


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_command_tells_of_itself(answered: Infersim, command: str) -> None:
    assert f"Usage: infersim {command}" in answered(command, "--help").out


@pytest.mark.slow
def test_a_single_kernel_loads_no_library_of_tables() -> None:
    """Numbers, a profile's file and a terminal: what reading frames, fitting or drawing needs stays out."""
    code = (
        "import sys; from infersim.cli.main import run\n"
        "try: run(['gemm', '1', '4096', '4096', '--gpu', 'h100-sxm'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is predicted to take" in done.stdout
    loaded = set(done.stderr.split())
    assert not loaded & {"pandas", "pyarrow", "scipy", "plotly", "torch", "numpy.ma", "jinja2"}
    own = {name for name in loaded if name.startswith("infersim.")}
    assert not {name for name in own if name.startswith(("infersim.fitting", "infersim.measuring"))}
    assert "infersim.pruning.composition" not in own


def test_help_loads_no_library_but_its_own() -> None:
    code = (
        "import sys\nfrom infersim.cli.main import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_help_answers_within_three_tenths_of_a_second() -> None:
    def seconds() -> float:
        """The time of the processor: programs beside this one, such as other tests, count for little."""
        before = os.times()
        subprocess.run(program("--help"), capture_output=True, check=True)
        after = os.times()
        used = after.children_user + after.children_system
        return used - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(program("models"), stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode in (1, BROKEN_PIPE)  # 1: typer was the one to notice
    assert done.stderr == ""


@pytest.mark.slow
def test_a_terminal_without_dashes_shows_something_in_their_place() -> None:
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(program("models"), capture_output=True, text=True, check=True, env=ascii_only)
    assert "llama-3.1-8b" in done.stdout


def test_errors_of_a_fresh_process_exit_with_2_and_one_line() -> None:
    done = subprocess.run(program("gpus", "h100-sx"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    check_order(done.stderr, "Error", "GPU 'h100-sx'", "h100-sxm")
    assert done.stderr.count("\n") == 1


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line_on_standard_error(answered: Infersim) -> None:
    ran = answered(
        "gemm", "1", "4096", "4096", "-g", "h100-sxm", "--set", "memory.bandwidth_gb_s=60000", "--json"
    )
    assert len(ran.rows) == 1
    check_order(ran.err, "Warning", "h100-sxm[memory.bandwidth_gb_s=60000]", "memory.bandwidth_gb_s = 60000")
    assert ran.err.count("\n") == 1


def test_an_interrupt_is_no_traceback(infersim: Infersim, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infersim.workload.presets.list_models", interrupted)
    ran = infersim("models")
    assert ran.code in (1, 130)  # as the version of typer has it
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [("compair",), ("gpus", "--jsn"), ("predict",), ("gemm", "1", "2")])
def test_a_slip_of_usage_exits_with_2(infersim: Infersim, arguments: tuple[str, ...]) -> None:
    ran = infersim(*arguments)
    assert ran.code == 2
    assert "Error: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_the_package_runs_as_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "infersim", "models", "--csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "llama-3.1-8b" in done.stdout


def test_no_bar_is_drawn_into_a_pipe_though_colours_are_forced() -> None:
    """Notebooks and CI set FORCE_COLOR, which makes rich take a pipe for a terminal."""
    code = (
        "from infersim.cli.progress import progress_bar, working\n"
        "with progress_bar('Measuring', 3) as on_row, working('Fitting'):\n"
        "    on_row(2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    assert done.stderr == ""
