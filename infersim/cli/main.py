"""The program `infersim`: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

import typer

from infersim.cli.commands.advise import advise_command
from infersim.cli.commands.calibrate import calibrate_command
from infersim.cli.commands.compare import compare_command
from infersim.cli.commands.frontier import frontier_command
from infersim.cli.commands.gemm import gemm_command
from infersim.cli.commands.gpus import gpus_command, models_command
from infersim.cli.commands.importing import import_command
from infersim.cli.commands.measure import measure_app
from infersim.cli.commands.measure_model import measure_model_command
from infersim.cli.commands.predict import predict_command
from infersim.cli.commands.reproduce import reproduce_command
from infersim.cli.commands.sweep import sweep_command
from infersim.cli.commands.validate import validate_command
from infersim.domain.errors import InfersimError

USER_ERROR = 2
"""Exit code of everything that the user can put right; a misspelt option exits with the same."""

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
app.command("sweep", short_help="Every combination of a plan as one table.")(sweep_command)
app.command("predict", short_help="How long a model takes, dense or pruned.")(predict_command)
app.command(
    "gemm",
    short_help="How long single GEMMs take.",
    # A negative dimension is refused as such, not as an option that does not exist.
    context_settings={"ignore_unknown_options": True},
)(gemm_command)
app.command("reproduce", short_help="A paper's tables with predictions beside them.")(reproduce_command)
app.command("gpus", short_help="The GPUs that are known, with sources.")(gpus_command)
app.command("models", short_help="The models that are known by name.")(models_command)
app.command("import", short_help="Turn published measurements into samples.")(import_command)
measure_app.command("model", short_help="Time dense and pruned models for real.")(measure_model_command)
app.add_typer(measure_app, name="measure", short_help="Time kernels and pruned models on this machine.")
app.command("calibrate", short_help="Fit a GPU's profile to measurements.")(calibrate_command)
app.command("validate", short_help="How far predictions are from measurements.")(validate_command)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command (None: that of `sys.argv`) and exit: 0, or 2 after an error that the user can cause."""
    for stream in (sys.stdout, sys.stderr):
        _replace_what_cannot_be_encoded(stream)
    try:
        with _warnings_in_one_line():
            app(arguments, prog_name="infersim")
    except InfersimError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except RecursionError:
        print("Error: a file is nested too deeply to be read", file=sys.stderr)
        sys.exit(USER_ERROR)
    except RuntimeError as error:
        if "Symlink loop" not in str(error):
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except BrokenPipeError:
        # The interpreter flushes once more when it ends; there must be somewhere to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"Error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(USER_ERROR)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Warnings without the line of code that gave them; standard output is complete before them."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            yield
        finally:
            sys.stdout.flush()
            for warning in caught:
                print(f"Warning: {warning.message}", file=sys.stderr)


def _replace_what_cannot_be_encoded(stream: TextIO) -> None:
    """A terminal that lacks a character shows a question mark in its place."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
