"""The README's examples: found, run, and with `python -m tests.readme` written anew.

The same command writes anew the tables of the families' pages and of the published speedups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

from infersim.cli.main import run
from tests import family_pages, published_page

README = Path(__file__).parents[1] / "README.md"

_EXAMPLE = re.compile(r"(?P<command>```console\n\$ infersim .*\n)(?P<shown>(?:.*\n)*?)```")


def examples() -> Iterator[tuple[str, str]]:
    """Each command, as it is typed, with the output that is shown below it."""
    for match in _EXAMPLE.finditer(README.read_text(encoding="utf-8")):
        yield match["command"].partition("$ ")[2].strip(), match["shown"]


def output_of(command: str) -> str:
    """What a command prints, without blanks at the ends of lines."""
    printed = StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        run(command.split()[1:])
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().rstrip().splitlines())


def _anew(match: re.Match[str]) -> str:
    return f"{match['command']}{output_of(match['command'].partition('$ ')[2])}```"


if __name__ == "__main__":
    README.write_text(_EXAMPLE.sub(_anew, README.read_text(encoding="utf-8")), encoding="utf-8")
    family_pages.write_anew()
    published_page.write_anew()
