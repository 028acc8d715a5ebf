"""Examples that pages show: found, run, and with `make readme` written anew.

An example is a block of language `console` that begins with `$ infersim ...`, in the README or a page of
docs. Blocks with a title (```toml title="plan.toml") are files that the page's examples find in their folder.
The same command writes anew what else is computed in docs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from _generate import pages, published_page
from infersim.cli.main import run

README = Path(__file__).parents[2] / "README.md"

_EXAMPLE = re.compile(r"(?P<command>```console\n\$ infersim .*\n)(?P<shown>(?:.*\n)*?)```")
_FILE = re.compile(r'^```\w+ title="(?P<name>[\w.-]+)"\n(?P<content>.*?)^```$', re.MULTILINE | re.DOTALL)


def pages_with_examples() -> list[Path]:
    """The README and the pages of docs that show what a command prints."""
    return [page for page in (README, *sorted(pages.DOCS.rglob("*.md"))) if list(examples(page))]


def examples(page: Path) -> Iterator[tuple[str, str]]:
    """Each command, as it is typed, with the output that is shown below it."""
    for match in _EXAMPLE.finditer(page.read_text(encoding="utf-8")):
        yield match["command"].partition("$ ")[2].strip(), match["shown"]


def outputs(page: Path) -> list[str]:
    """What a page's examples print beside the page's files, without blanks at the ends of lines."""
    text = page.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder, chdir(folder):
        for match in _FILE.finditer(text):
            Path(match["name"]).write_text(match["content"], encoding="utf-8")
        return [_output_of(command) for command, _ in examples(page)]


def _output_of(command: str) -> str:
    printed, code = StringIO(), None
    with redirect_stdout(printed):
        try:
            run(shlex.split(command)[1:])
        except SystemExit as ended:
            code = ended.code
    assert not code, f"{command}: exit code {code}"
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().rstrip().splitlines())


def write_anew() -> None:
    """Run all examples again."""
    for page in pages_with_examples():
        found = iter(outputs(page))
        text = page.read_text(encoding="utf-8")
        page.write_text(
            _EXAMPLE.sub(lambda match: f"{match['command']}{next(found)}```", text),  # noqa: B023
            encoding="utf-8",
        )


if __name__ == "__main__":
    write_anew()
    pages.write_anew()
    published_page.write_anew()
