"""The pages of the families: one each, with numbers that are computed, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infersim.pruning.registry import Family, families
from tests.family_pages import PAGES, computed, pages, tables

INDEX = PAGES / "README.md"


def page_of(family: Family) -> Path:
    return PAGES / f"{family.name.replace(':', '-')}.md"


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_each_family_has_a_page_that_tells_its_options(family: Family) -> None:
    text = page_of(family).read_text(encoding="utf-8")
    for heading in ("## Axis", "## What is saved", "## What is added", "## Where it pays"):
        assert heading in text, heading
    for option, default in family.options.items():
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert re.search(rf"`{option}` *\| *`{re.escape(shown)}`", text), option
    assert page_of(family).name in INDEX.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_tables_are_what_is_computed(page: Path) -> None:
    for kind, question, shown in tables(page):
        assert shown == computed(kind, question), f"{page.name}: write it anew with `make readme`"


def test_each_family_page_has_numbers() -> None:
    assert all(list(tables(page_of(family))) for family in families())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).is_file(), link
