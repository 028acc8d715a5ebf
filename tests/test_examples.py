"""What stands in the docstrings of public functions: their examples run, and their sections are whole."""

from __future__ import annotations

import doctest
import inspect
import re
from dataclasses import fields

import pytest

import infersim as sim

SLOW = {"search"}
FUNCTIONS = sorted(name for name in sim.__all__ if inspect.isfunction(getattr(sim, name)))
RECORDS = ["Request", "Scenarios"]


def _example(name: str) -> doctest.DocTest:
    """All examples of a docstring as one."""
    text = inspect.getdoc(getattr(sim, name)) or ""
    return doctest.DocTestParser().get_doctest(text, {}, name, None, None)


def _marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.mark.parametrize("name", [_marked(name) for name in sim.__all__ if _example(name).examples])
def test_examples_print_what_they_show(name: str) -> None:
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        _example(name), out=said.append
    )
    assert result.failed == 0, "".join(said)


def _sections(name: str) -> dict[str, str]:
    """The texts of a docstring's sections, by their headings."""
    text = inspect.getdoc(getattr(sim, name)) or ""
    return dict(re.findall(r"^(\w+)\n-{3,}\n(.*?)(?=^\w+\n-{3,}|\Z)", text, re.MULTILINE | re.DOTALL))


def _named(parameters: str) -> set[str]:
    """The names in a section of parameters: `m, n` and `**options` among them."""
    lines = re.findall(r"^(\*{0,2}\w[\w, *]*)$", parameters, re.MULTILINE)
    return {each.strip("* ") for line in lines for each in line.split(",")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sections_are_whole_and_name_every_parameter(name: str) -> None:
    sections = _sections(name)
    assert {"Parameters", "Returns", "Raises", "Examples"} <= set(sections)
    assert set(inspect.signature(getattr(sim, name)).parameters) == _named(sections["Parameters"])


@pytest.mark.parametrize("name", RECORDS)
def test_records_say_what_each_field_is(name: str) -> None:
    sections = _sections(name)
    assert "Examples" in sections
    assert {field.name for field in fields(getattr(sim, name))} == _named(sections["Parameters"])


def test_sections_are_looked_at_where_they_are() -> None:
    assert len(FUNCTIONS) > 40
