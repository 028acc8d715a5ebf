"""The program `infersim`: its commands, and what becomes of an error."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from infersim.cli.commands.advise import advise_command
from infersim.cli.commands.app import app_command
from infersim.cli.commands.calibrate import calibrate_command
from infersim.cli.commands.compare import compare_command
from infersim.cli.commands.frontier import frontier_command
from infersim.cli.commands.gemm import gemm_command
from infersim.cli.commands.importing import import_command
from infersim.cli.commands.inventories.doctor import doctor_command
from infersim.cli.commands.inventories.gpus import (
    engines_command,
    glossary_command,
    gpus_command,
    models_command,
)
from infersim.cli.commands.measure import measure_app
from infersim.cli.commands.measure_model import measure_model_command
from infersim.cli.commands.predict import predict_command
from infersim.cli.commands.reproduce import reproduce_command
from infersim.cli.commands.search.search import search_command
from infersim.cli.commands.search.table import table_command
from infersim.cli.commands.serve import serve_command
from infersim.cli.commands.sweep import sweep_command
from infersim.cli.commands.validate import validate_command
from infersim.cli.interrupts import STOPPED, StoppedError, interruptible
from infersim.cli.streams import give_output_up, output_fails, prepare_streams, tell
from infersim.cli.usage.help import PlainCommand
from infersim.cli.usage.refusals import refusal
from infersim.domain.errors import InfersimError

USER_ERROR = 2
"""Exit code of everything that the user can put right; a misspelt option exits with the same."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""How a stream refuses that takes no more, or never took any."""

BROKEN_PIPE = 141
"""What a shell reports of a program whose reader went away: 128 + SIGPIPE."""

PURPOSE = "How fast a pruned LLM will be, how fast it could ever be, and what takes the difference."

app = typer.Typer(
    name="infersim",
    help=PURPOSE,
    epilog="infersim COMMAND --help shows its options and examples. Only measure needs a GPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from infersim.cli.commands.inventories.doctor import version_of

        print(f"infersim {version_of('infersim')}")
        raise typer.Exit


@app.callback(help=PURPOSE)
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("compare", compare_command, "How much faster plans are, could be, and what takes the rest."),
    ("frontier", frontier_command, "What speed pruning gains for what it loses in quality."),
    ("advise", advise_command, "What sparsity a speedup needs, and where families pay."),
    ("search", search_command, "The plan layer by layer that loses least and meets targets."),
    ("table", table_command, "The time of every choice of every sublayer, for a search."),
    ("sweep", sweep_command, "Every combination of a plan as one table."),
    ("predict", predict_command, "How long a model takes, dense or pruned."),
    ("serve", serve_command, "A model as an engine serves it, and what pruning buys under load."),
    ("gemm", gemm_command, "How long single GEMMs take."),
    ("app", app_command, "The page in the browser: sliders, figures, two GPUs side by side."),
    ("reproduce", reproduce_command, "A paper's tables with predictions beside them."),
    ("gpus", gpus_command, "The GPUs that are known, with sources."),
    ("models", models_command, "The models that are known by name."),
    ("engines", engines_command, "The engines that are known, and what they run."),
    ("import", import_command, "Turn published measurements into samples."),
    ("calibrate", calibrate_command, "Fit a GPU's profile to measurements."),
    ("validate", validate_command, "How far predictions are from measurements."),
    ("glossary", glossary_command, "What the words of tables and pages mean."),
    ("doctor", doctor_command, "What is installed, and what of it works here."),
)
for _name, _function, _short in _COMMANDS:
    # Of gemm a negative dimension is refused as such, not as an option that does not exist.
    _settings = {"ignore_unknown_options": True} if _name == "gemm" else None
    app.command(_name, cls=PlainCommand, short_help=_short, context_settings=_settings)(_function)
measure_app.command("model", cls=PlainCommand, short_help="Time dense and pruned models for real.")(
    measure_model_command
)
app.add_typer(measure_app, name="measure", short_help="Time kernels and pruned models on this machine.")


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command (None: that of `sys.argv`) and exit.

    The code is 0, 2 after an error that the user can cause, 130 after Ctrl-C, 141 where the reader went away.
    """
    if not prepare_streams():
        tell("Error: standard output is closed; expected a place for the answer, such as > /dev/null")
        sys.exit(USER_ERROR)
    sys.exit(_code(arguments))


def _code(arguments: Sequence[str] | None) -> int:
    """The exit code of a command, after one message where it is not 0."""
    try:
        with interruptible():
            code = _command(arguments)
        if code == STOPPED:  # typer has caught the interrupt
            tell("Stopped.")
        return code
    except KeyboardInterrupt:
        tell("Stopped.")
        return STOPPED
    except StoppedError as error:
        tell(f"Stopped: {error}")
        return STOPPED
    except InfersimError as error:
        tell(f"Error: {error}")
    except RecursionError:
        tell("Error: a file is nested too deeply to be read")
    except MemoryError as error:
        tell(f"Error: there is too little memory for this ({error or 'no more could be had'})")
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as error:
        tell(f"Error: {_refused(error)}")
    except RuntimeError as error:
        if "Symlink loop" not in str(error):
            raise
        tell(f"Error: {error}")
    finally:
        if output_fails():
            give_output_up()
    return USER_ERROR


def _command(arguments: Sequence[str] | None) -> int:
    """Run the command, typer's own errors included; what it printed is out when this returns."""
    before = sys.stdout
    try:
        with _warnings_in_one_line():
            code = app(arguments, prog_name="infersim", standalone_mode=False)
    except SystemExit as ended:
        if sys.stdout is not before:  # typer has met a broken pipe, and put something else in its place
            sys.stdout = before
            raise BrokenPipeError from None
        code = ended.code
    except Exception as error:
        if type(error).__name__ == "Abort":  # what lowest versions of typer make of an interrupt
            raise KeyboardInterrupt from None
        code = getattr(error, "exit_code", None)
        if code is None or not hasattr(error, "show"):
            raise
        tell(refusal(error))
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _refused(error: OSError) -> str:
    """What the system refused: a file that it names, or else, as files are opened by name, a stream."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    return f"standard output cannot be written: {reason}" if error.errno in FULL or output_fails() else reason


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Warnings without the line of code that gave them; standard output is complete before them."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            yield
        finally:
            if caught and not output_fails():
                for warning in caught:
                    tell(f"Warning: {warning.message}")
