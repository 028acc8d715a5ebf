"""The blocks of a page that walks through an extension, run as they stand there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from _generate.pages import DOCS

_COMPUTED = re.compile(r"<!-- (?!end).*?<!-- end -->", re.DOTALL)
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code: its language, the file that it is (empty: none), and its text."""

    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page of docs in order, but for those that are computed."""
    text = _COMPUTED.sub("", (DOCS / page).read_text(encoding="utf-8"))
    return [Block(*match) for match in _BLOCK.findall(text)]


def block(page: str, title: str) -> Block:
    """The one block that is the file `title`."""
    (found,) = (each for each in blocks(page) if each.title == title)
    return found


def as_module(found: Block, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A block that is a module, imported under the name that its file would have."""
    module = ModuleType(found.title.removesuffix(".py").replace("/", "."))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(found.text, found.title, "exec"), module.__dict__)
    return module


def executed(found: Block) -> dict[str, Any]:
    """The names that a block of Python defines."""
    names: dict[str, Any] = {}
    exec(compile(found.text, found.title or "block", "exec"), names)
    return names


def entered(page: str, title: str, name: str) -> list[Any]:
    """What a page adds to the tuple `name` of the module `title`, in place of the Ellipsis."""
    before, *added = tuple(executed(block(page, title))[name])
    assert before is ...
    assert added
    return list(added)


def write_files(page: str, folder: Path) -> None:
    """Write the data files that a page shows."""
    for found in blocks(page):
        if found.title and found.language != "python":
            (folder / found.title).write_text(found.text, encoding="utf-8")


def commands(page: str) -> list[list[str]]:
    """The arguments of each command of a page's shell blocks."""
    text = "".join(found.text for found in blocks(page) if found.language == "sh").replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert all(line[0] == "infersim" for line in lines)
    return [line[1:] for line in lines]
