"""What stands in the docstrings of public functions: their examples run, and their sections are whole."""

from __future__ import annotations

import doctest
import inspect
import re

import pytest

import infersim as sim

SLOW = {"search"}
WITH_SECTIONS = {
    *("all_reduce_latency", "attention_latency", "calibrate", "compare", "compare_served", "frontier"),
    *("gemm_latency", "latency_table", "load_model", "load_profile", "moe_latency", "predict", "prune"),
    *("search", "serve", "sweep", "validate", "with_overrides", "padded_widths", "free_widths", "break_even"),
    *("exchange_latency", "compare_along", "summary"),
}


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


@pytest.mark.parametrize("name", sorted(WITH_SECTIONS))
def test_sections_are_whole_and_name_every_parameter(name: str) -> None:
    text = inspect.getdoc(getattr(sim, name)) or ""
    sections = dict(re.findall(r"^(\w+)\n-{3,}\n(.*?)(?=^\w+\n-{3,}|\Z)", text, re.MULTILINE | re.DOTALL))
    assert {"Parameters", "Returns", "Raises", "Examples"} <= set(sections)
    lines = re.findall(r"^(\*{0,2}\w[\w, ]*)$", sections["Parameters"], re.MULTILINE)
    said = {each.strip("* ") for line in lines for each in line.split(",")}
    assert set(inspect.signature(getattr(sim, name)).parameters) == said
