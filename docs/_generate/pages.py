"""Computed parts of the pages in docs: found, computed, and with `make readme` written anew.

A part stands between `<!-- kind {...} -->` and `<!-- end -->`; the braces hold its question as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _generate import (
    accuracy_tables,
    architecture_tables,
    calibration_table,
    command_options,
    excerpts,
    family_pages,
    glossary_table,
    loss_chain,
    other_programs,
    parameter_tables,
    public_names,
    served_tables,
)

DOCS = Path(__file__).parents[2] / "docs"

_PART = re.compile(
    r"(?P<open><!-- (?P<kind>\w+) (?P<question>\{.*\}) -->\n)(?P<shown>(?:.*\n)*?)<!-- end -->"
)
KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    **family_pages.KINDS,
    **architecture_tables.KINDS,
    **other_programs.KINDS,
    "accuracy": accuracy_tables.accuracy,
    "computed_on": accuracy_tables.computed_on,
    "coverage": accuracy_tables.coverage,
    "speedup_accuracy": accuracy_tables.speedup_accuracy,
    "sparse_accuracy": accuracy_tables.sparse_accuracy,
    "served_on": served_tables.served_on,
    "served_failures": served_tables.served_failures,
    "served_accuracy": served_tables.served_accuracy,
    "served_held_out": served_tables.served_held_out,
    "calibrations": calibration_table.calibrations,
    "commands": command_options.commands,
    "options": command_options.options,
    "glossary": glossary_table.glossary_table,
    "excerpt": excerpts.excerpt,
    "fit_outline": excerpts.fit_outline,
    "names_table": public_names.names_table,
    "public_names": public_names.public_names,
    "parameters": parameter_tables.parameters,
    "chain": loss_chain.chain_table,
}


def pages() -> list[Path]:
    """All pages with a computed part, in the order of their paths."""
    return [page for page in sorted(DOCS.rglob("*.md")) if list(parts(page))]


def parts(page: Path) -> Iterator[tuple[str, str, str]]:
    """Kind, question and what is shown, of each computed part of a page."""
    for match in _PART.finditer(page.read_text(encoding="utf-8")):
        yield match["kind"], match["question"], match["shown"]


def computed(kind: str, question: str) -> str:
    """The part that answers a question, as Markdown."""
    return KINDS[kind](json.loads(question))


def write_anew() -> None:
    """Compute all parts of all pages again; a command without a page gets one."""
    command_options.begin_missing_pages(DOCS / "commands")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(_PART.sub(_anew, text), encoding="utf-8")


def _anew(match: re.Match[str]) -> str:
    return f"{match['open']}{computed(match['kind'], match['question'])}<!-- end -->"
