"""What pages compute is current, links lead somewhere, and nothing that a page should tell is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import BaseModel

from _generate.command_options import all_commands, page_name
from _generate.pages import DOCS, computed, pages, parts
from infersim.fitting.plans.schema import MeasurementPlanTables
from infersim.profile_files.fit_format import FitTable, KindTable
from infersim.profile_files.schema import ChipTable, Datasheet, MatrixRow, MemoryTable
from infersim.pruning.plan_files.tables import (
    BlockSparsityTable,
    LayerTable,
    PlanTables,
    RemoveTable,
    SkipTable,
)
from infersim.simulation.frontier.quality import QualityPoint
from infersim.simulation.measured.table import MeasuredSpeedup

ROOT = DOCS.parent
HOW_TO = [DOCS / f"add-a-{what}.md" for what in ("gpu", "family", "kernel")]
ALL_PAGES = sorted(DOCS.rglob("*.md"))


def _id(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=_id)
def test_computed_parts_are_what_is_computed(page: Path) -> None:
    for kind, question, shown in parts(page):
        assert shown == computed(kind, question), f"{page.name}: write it anew with `make readme`"


@pytest.mark.parametrize("page", ALL_PAGES, ids=_id)
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).is_file(), link


def test_each_command_has_a_page_with_its_options() -> None:
    for name in all_commands():
        page = DOCS / "commands" / page_name(name)
        shown = {question for kind, question, _ in parts(page) if kind == "options"}
        assert shown == {f'{{"command": "{name}"}}'}, page.name


@pytest.mark.parametrize("page", [ROOT / "README.md", *ALL_PAGES], ids=lambda page: page.stem)
def test_options_of_commands_in_shell_blocks_exist(page: Path) -> None:
    known = {name: {o for found in c.params for o in found.opts} for name, c in all_commands().items()}
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        words = line.partition(" #")[0].split()
        if words[:1] != ["infersim"] or len(words) < 2 or words[1].startswith("-"):
            continue
        name = next(name for name in (" ".join(words[1:3]), words[1]) if name in known)
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known[name], line


@pytest.mark.parametrize("page", HOW_TO, ids=_id)
def test_files_and_names_of_a_walk_exist(page: Path) -> None:
    """A path is a file or folder of the repository; a name stands in one of the files that the page names."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    quoted = set(re.findall(r"`([^`\n]+)`", text)) | set(re.findall(r"\]\(\.\./([^)#]+)\)", text))
    paths = {word for word in quoted if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", word)}
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path
    named = [ROOT / path for path in paths if (ROOT / path).is_file()]
    code = "\n".join(file.read_text(encoding="utf-8") for file in named)
    names = {
        word.rpartition(".")[2] for word in quoted if re.fullmatch(r"[A-Za-z_.]*[A-Z_][A-Za-z_.]*", word)
    }
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()


def _keys(models: Iterable[type[BaseModel]]) -> set[str]:
    return {name for model in models for name in model.model_fields}


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("formats-profiles.md", _keys([Datasheet, ChipTable, MemoryTable, MatrixRow, FitTable, KindTable])),
        (
            "formats-plans.md",
            _keys(
                [PlanTables, RemoveTable, LayerTable, SkipTable, BlockSparsityTable, MeasurementPlanTables]
            ),
        ),
    ],
)
def test_every_key_of_a_format_is_told(page: str, keys: set[str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()


def test_columns_of_tables_are_columns_that_are_read() -> None:
    text = (DOCS / "formats-measured.md").read_text(encoding="utf-8")
    speedups, quality = text.split("## Quality")
    read = {*MeasuredSpeedup.__dataclass_fields__, "dense_ms", "pruned_ms", "status"}
    assert _first_cells(speedups) <= read
    assert _first_cells(quality) <= set(QualityPoint.__dataclass_fields__)


def _first_cells(text: str) -> set[str]:
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    assert len(cells) > 5
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_python_of_the_api_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "api.md", "exec"), {})
