"""The words of tables and figures as a table: the same that the terminal and pages show."""

from __future__ import annotations

from typing import Any

from _generate.markdown import markdown_table
from infersim.report.core.glossary import meanings


def glossary_table(_: dict[str, Any]) -> str:
    """Every word with its meaning."""
    rows = [[word, meaning] for word, meaning in meanings().items()]
    return markdown_table(["word", "meaning"], rows, numeric=[False, False])
