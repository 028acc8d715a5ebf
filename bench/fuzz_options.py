"""Options and keywords that nobody listed: derived from the program and the signatures."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import typer.main

import infersim as sim
from infersim.cli.main import app

WRITES = ("out", "html", "figures", "predictions")
"""Options that name what is written: always below the folder of a case."""

STARTS = ("workers", "engine", "scheduler", "device", "seconds", "help", "pool")
"""Options that start processes, look for machines or work for as long as is asked."""

KNOWN = ("vllm", "auto", "bf16", "fp8", "1", "8", "0.5", "static-m", "h100-sxm", "llama-3.2-1b")


@cache
def options(command: str, sub: str | None) -> tuple[Any, ...]:
    """The options of a command, but for those that start something; none where there is no such command."""
    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = commands.get(command)
    if found is not None and hasattr(found, "commands"):
        found = found.commands.get(sub)
    if found is None:
        return ()
    starts = STARTS if command in ("sweep", "measure", "calibrate") else ("help",)
    return tuple(
        each for each in found.params if each.param_type_name == "option" and each.name not in starts
    )


def with_an_option(made: list[str], chance: random.Random, word: str, below: str) -> list[str]:
    """A command line with any one more option of its command; `below` is a place in the folder."""
    known = options(made[0], made[1] if len(made) > 1 else None) if made else ()
    if not known:
        return made
    option = chance.choice(known)
    name = chance.choice([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return [*made, name]
    value = below if option.name in WRITES else word if chance.random() < 0.5 else chance.choice(KNOWN)
    return [*made, name, value]


@cache
def keywords(name: str) -> tuple[str, ...]:
    """Every parameter of a public function that can be given by name, those of its options included."""
    function: Any = sim
    for part in name.split("."):
        function = getattr(function, part)
    found: list[str] = []
    for each in inspect.signature(function).parameters.values():
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            found += _options_of(function, str(each.annotation))
        elif each.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            found.append(each.name)
    return tuple(each for each in found if name != "sweep" or each not in STARTS)


def _options_of(function: Callable[..., Any], annotation: str) -> list[str]:
    """The names of a record of options, such as `Unpack[ScenarioOptions]`; none of what is no record."""
    record = inspect.unwrap(function).__globals__.get(annotation.removeprefix("Unpack[").removesuffix("]"))
    return list(getattr(record, "__annotations__", ()))
