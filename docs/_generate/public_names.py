"""The names of `import infersim`: a table of them, and the directives that show their docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import infersim
from _generate.markdown import markdown_table

_GROUPS = {
    "profile_files": "GPUs",
    "workload": "Models and requests",
    "pruning": "Pruning",
    "simulation": "Predictions",
    "fitting": "Measurements",
    "report": "Words and figures",
    "domain": "Errors",
}
"""Headings by the package that a name lives in, in the order of the page."""


def names_table(_: dict[str, Any]) -> str:
    """Every public name with the first sentence of its docstring."""
    rows = [
        [f"`{name}`", _first_sentence(getattr(infersim, name))]
        for names in _by_group().values()
        for name in names
    ]
    return markdown_table(["name", "what it does"], rows, numeric=[False, False])


def public_names(_: dict[str, Any]) -> str:
    """A section for each package, with a directive for each name in it."""
    sections = (
        f"\n## {group}\n\n" + "\n\n".join(f"::: {_home(name)}.{name}" for name in names) + "\n"
        for group, names in _by_group().items()
    )
    return "".join(sections) + "\n"


def _by_group() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {heading: [] for heading in _GROUPS.values()}
    for name in infersim.__all__:
        found[_GROUPS[_home(name).split(".")[1]]].append(name)
    return {heading: names for heading, names in found.items() if names}


def _home(name: str) -> str:
    return str(getattr(infersim, name).__module__)


def _first_sentence(public: object) -> str:
    paragraph = (inspect.getdoc(public) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())
