"""Usage and options of commands, from the program itself."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import typer

from _generate.markdown import markdown_table
from infersim.cli.main import app
from infersim.cli.usage.help import shown as shown_by_help

_EXTRA = re.compile(r"\s*\[(?P<extra>(?:default: |required).*)\]$")


def commands(_: dict[str, Any]) -> str:
    """Every command with its page and what it is for."""
    rows = [
        [f"[`infersim {name}`]({page_name(name)})", _summary(found)] for name, found in all_commands().items()
    ]
    return markdown_table(["command", "what it tells or does"], rows, numeric=[False, False])


def options(question: dict[str, Any]) -> str:
    """How the command `question["command"]` is typed, and everything that it takes."""
    name = question["command"]
    command = all_commands()[name]
    with command.make_context(f"infersim {name}", [], resilient_parsing=True) as context:
        records = [(parameter, parameter.get_help_record(context)) for parameter in command.params]
    shown = [(parameter, *record) for parameter, record in records if record is not None]
    arguments = [_argument(parameter) for parameter, *_ in shown if _is_argument(parameter)]
    usage = " ".join([f"infersim {name} [OPTIONS]", *arguments])
    table = markdown_table(
        ["option", "default", "what it does"], [_row(*row) for row in shown], numeric=[False, False, False]
    )
    return f"\n```text\n{usage}\n```\n\n{table}\n"


def page_name(name: str) -> str:
    """The page of a command, below docs/commands."""
    return f"{name.replace(' ', '-')}.md"


def all_commands() -> dict[str, Any]:
    """Every command by its full name, in the order of `infersim --help`; groups are parted."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {part}": of_it for part, of_it in inner.items()}
    return found


def begin_missing_pages(folder: Path) -> None:
    """A page for each command that has none: what `--help` says, and the place of its options."""
    for name, command in all_commands().items():
        page = folder / page_name(name)
        if not page.exists():
            text = f"# infersim {name}\n\n{inspect.cleandoc(command.help or '')}\n\n## Options\n\n"
            marker = f'<!-- options {{"command": "{name}"}} -->\n<!-- end -->\n'
            page.write_text(text + marker, encoding="utf-8")


def _summary(command: Any) -> str:
    return _cell(command.short_help or (command.help or "").partition("\n")[0])


def _arguments(command: Any) -> list[str]:
    arguments = [found for found in command.params if found.param_type_name == "argument"]
    named = [
        f"{found.metavar or found.name.upper()}{'...' if found.nargs == -1 else ''}" for found in arguments
    ]
    return [name if found.required else f"[{name}]" for name, found in zip(named, arguments, strict=True)]


def _row(parameter: Any, typed: str, text: str) -> list[str]:
    """What `--help` prints of a parameter, the default in a column of its own."""
    text = _cell(text)
    match = _EXTRA.search(text)
    extra = "" if match is None else match["extra"]
    default = "needed" if extra == "required" else f"`{extra.removeprefix('default: ')}`" if extra else "–"
    name = _bare_name(parameter) if _is_argument(parameter) else shown_by_help(parameter, typed)
    return [f"`{name}`", default, text[: match.start()] if match else text]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _bare_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).strip("[]").upper()


def _argument(parameter: Any) -> str:
    """As usage lines have it: `[NAME]` may be left out, `NAME...` may be several."""
    name = _bare_name(parameter) + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _cell(text: str) -> str:
    """Text in one line."""
    return " ".join(text.split())
