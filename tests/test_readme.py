"""The README works: its commands, and those of docs, print what is shown; its code runs, links lead on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from _generate.readme import README, examples, outputs, pages_with_examples

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with_examples(), ids=lambda page: page.stem)
def test_commands_print_what_is_shown(page: Path) -> None:
    shown = [output for _, output in examples(page)]
    assert shown == outputs(page), "write it anew with `make readme`"


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
