"""The program `infersim`: its commands, and what becomes of an error."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

import typer

from infersim.cli.commands.advise import advise_command
from infersim.cli.commands.app import app_command
from infersim.cli.commands.calibrate import calibrate_command
from infersim.cli.commands.compare import compare_command
from infersim.cli.commands.frontier import frontier_command
from infersim.cli.commands.gemm import gemm_command
from infersim.cli.commands.importing import import_command
from infersim.cli.commands.inventories.engines import engines_command
from infersim.cli.commands.inventories.gpus import gpus_command, models_command
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
from infersim.domain.errors import InfersimError

USER_ERROR = 2
"""Exit code of everything that the user can put right; a misspelt option exits with the same."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""How a stream refuses that takes no more, or never took any."""

BROKEN_PIPE = 141
"""What a shell reports of a program whose reader went away: 128 + SIGPIPE."""

app = typer.Typer(
    name="infersim",
    help="How fast a pruned LLM will be, how fast it could ever be, and what eats the difference.",
    epilog="infersim COMMAND --help tells more of each; no command needs a GPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compare", short_help="How much faster plans are, could be, and what eats the rest.")(
    compare_command
)
app.command("frontier", short_help="What speed pruning gains for what it loses in quality.")(frontier_command)
app.command("advise", short_help="What sparsity a speedup needs, and where families pay.")(advise_command)
app.command("search", short_help="The plan layer by layer that loses least and meets targets.")(
    search_command
)
app.command("table", short_help="The time of every choice of every sublayer, for a search.")(table_command)
app.command("sweep", short_help="Every combination of a plan as one table.")(sweep_command)
app.command("predict", short_help="How long a model takes, dense or pruned.")(predict_command)
app.command("serve", short_help="A model as an engine serves it, and what pruning buys under load.")(
    serve_command
)
app.command(
    "gemm",
    short_help="How long single GEMMs take.",
    # A negative dimension is refused as such, not as an option that does not exist.
    context_settings={"ignore_unknown_options": True},
)(gemm_command)
app.command("app", short_help="The page in the browser: sliders, figures, two GPUs side by side.")(
    app_command
)
app.command("reproduce", short_help="A paper's tables with predictions beside them.")(reproduce_command)
app.command("gpus", short_help="The GPUs that are known, with sources.")(gpus_command)
app.command("models", short_help="The models that are known by name.")(models_command)
app.command("engines", short_help="The engines that are known, and what they run.")(engines_command)
app.command("import", short_help="Turn published measurements into samples.")(import_command)
measure_app.command("model", short_help="Time dense and pruned models for real.")(measure_model_command)
app.add_typer(measure_app, name="measure", short_help="Time kernels and pruned models on this machine.")
app.command("calibrate", short_help="Fit a GPU's profile to measurements.")(calibrate_command)
app.command("validate", short_help="How far predictions are from measurements.")(validate_command)


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
        shown, code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if shown is None or code is None:
            raise
        told = StringIO()
        shown(file=told)
        tell(told.getvalue().rstrip("\n"))
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
