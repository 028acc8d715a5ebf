"""The pages of the families: one each, with numbers that are computed, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from _generate.pages import DOCS, parts
from infersim.pruning.families.family import Family
from infersim.pruning.families.registry import families

PAGES = DOCS / "families"
INDEX = PAGES / "README.md"


def page_of(family: Family) -> Path:
    return PAGES / family.page


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_each_family_has_a_page_that_tells_its_options(family: Family) -> None:
    text = page_of(family).read_text(encoding="utf-8")
    for heading in ("## Axis", "## What is saved", "## What is added", "## Where it pays"):
        assert heading in text, heading
    for option, default in family.options.items():
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert re.search(rf"`{option}` *\| *`{re.escape(shown)}`", text), option
    assert page_of(family).name in INDEX.read_text(encoding="utf-8")


def test_each_family_page_has_numbers() -> None:
    assert all(list(parts(page_of(family))) for family in families())
