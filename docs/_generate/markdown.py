"""Tables in Markdown, for the pages whose tables are computed."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[bool] | None = None
) -> str:
    """A table; `numeric` columns stand right, and without it all but the first do."""
    right = [False, *(True for _ in headings[1:])] if numeric is None else numeric
    lines = [headings, ["---:" if column else "---" for column in right], *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
