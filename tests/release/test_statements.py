"""Version, date and licence are the same wherever a release states them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


def released() -> list[tuple[str, str]]:
    """Version and date of each section of the changelog, but for what is not released."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (.+))?$", text, re.MULTILINE)
    return [(version, date) for version, date in sections if version != "Unreleased"]


def test_every_statement_names_the_newest_version_of_the_changelog() -> None:
    version, date = released()[0]
    assert PROJECT["version"] == version
    assert CITATION["version"] == version
    assert str(CITATION["date-released"]) == date


def test_versions_of_the_changelog_fall() -> None:
    numbers = [tuple(map(int, version.split("."))) for version, _ in released()]
    assert len(numbers) > 1
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_licence_is_that_of_the_file() -> None:
    assert CITATION["license"] == PROJECT["license"] == "Apache-2.0"
    title, version = (line.strip() for line in (ROOT / "LICENSE").read_text("utf-8").splitlines()[:2])
    assert (title, version.split(",")[0]) == ("Apache License", "Version 2.0")


def test_a_citation_has_what_its_format_demands() -> None:
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION)
    for work in (CITATION, *CITATION["references"]):
        assert work["title"]
        assert all("name" in author or "family-names" in author for author in work["authors"])


def test_the_paper_is_the_one_that_is_reproduced() -> None:
    from infersim.simulation.paper import source

    (paper,) = CITATION["references"]
    assert source.SOURCE in [each["value"] for each in paper["identifiers"]]
    assert paper["title"] in str(source.__doc__)
