"""docs/published-speedups.md: its tables, computed, and with `make readme` written anew."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from infersim.report.core.table import Table
from infersim.report.paper.published_check import (
    overpredicted_table,
    partial_table,
    published_verdict,
    scored_table,
)
from infersim.simulation.paper.published_check import check_published

PAGE = Path(__file__).parents[2] / "docs" / "published-speedups.md"

_PART = re.compile(r"(?P<open><!-- (?P<name>\w+) -->\n)(?P<shown>(?:.*\n)*?)<!-- end -->")


def parts() -> dict[str, str]:
    """What the page shows between its markers, by name."""
    return {match["name"]: match["shown"] for match in _PART.finditer(PAGE.read_text(encoding="utf-8"))}


def computed(check: pd.DataFrame) -> dict[str, str]:
    """What it should show."""
    verdict = published_verdict(check)
    said = "\n".join(f"- {line}" for line in (*verdict.sentences, *verdict.notes))
    tables = {
        "scored": scored_table(check),
        "overpredicted": overpredicted_table(check),
        "partial": partial_table(check),
    }
    return {"verdict": f"\n{said}\n\n"} | {name: _markdown(table) for name, table in tables.items()}


def write_anew() -> None:
    """Compute the page's tables again."""
    found = computed(check_published())
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        _PART.sub(lambda match: f"{match['open']}{found[match['name']]}<!-- end -->", text), encoding="utf-8"
    )


def _markdown(table: Table) -> str:
    """One table for each section, the source above it."""
    headings = [column.heading.replace("\n", " ") for column in table.columns]
    rule = ["--:" if column.numeric else "---" for column in table.columns]
    text = ""
    for section in table.sections():
        rows = [headings, rule, *section.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        text += f"\n{section.label}:\n\n" + "\n".join(lines) + "\n"
    return text + "\n"
