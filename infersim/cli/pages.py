"""A page beside the answer: as HTML, and its figures as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infersim.report.page import Page


def write_asked(page: Callable[[], Page], *, html: Path | None, figures: Path | None) -> None:
    """Write what is asked for; `page` is made only then."""
    if html is None and figures is None:
        return
    from infersim.cli.printing import print_aside
    from infersim.report.figure_files import write_figures
    from infersim.report.page import write_page

    made = page()
    if html is not None:
        write_page(html, made)
        print_aside(f"Wrote {html}")
    if figures is not None:
        print_aside(f"Wrote {len(write_figures(figures, made))} files to {figures}")
