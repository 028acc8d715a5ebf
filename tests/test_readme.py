"""The README works: its commands print what it shows, its code runs, its links lead somewhere."""

from __future__ import annotations

import re

import pytest

from tests.readme import README, examples, output_of

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "shown"), list(examples()))
def test_commands_print_what_is_shown(command: str, shown: str) -> None:
    assert shown == output_of(command), "write it anew with `make readme`"


def test_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        assert (README.parent / link).is_file(), link
