"""Names of families and GPUs stand where they are entered, and in what is told of published work."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import infersim
from infersim.app import choices
from infersim.cli.usage import examples
from infersim.cost.gemm import sparse_relations
from infersim.fitting.importers import aiconfigurator
from infersim.profile_files import list_profiles
from infersim.pruning.families.registry import families
from infersim.pruning.plan_files import pruning_infersim_keys
from infersim.simulation.paper import claims, published_check, reproduction, source
from infersim.workload.hf.quantisation import compressed

PACKAGE = Path(infersim.__file__).parent
OF_PAPERS = {Path(str(module.__file__)) for module in (source, reproduction, claims, published_check)}
"""What sources measured is data of theirs."""

OF_FITS = {Path(str(module.__file__)) for module in (sparse_relations, aiconfigurator)}
"""What a relation was fitted on, and what GPUs are called by another project."""


OF_FORMATS = {Path(str(module.__file__)) for module in (pruning_infersim_keys, compressed)}
"""Words of other programs' files, of which one is a family's name too."""


OF_BEGINNINGS = {Path(str(module.__file__)) for module in (choices, examples)}
"""What the page in the browser begins with, and examples of commands: names among others, no list of them."""


@cache
def _texts(file: Path) -> list[str]:
    """The strings of a module, but for docstrings and what else stands alone."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


def _naming(names: Iterable[str], but: set[Path]) -> dict[str, list[str]]:
    """Strings that are one of `names`, or a list of several, by the file that they stand in."""
    known = set(names)
    found: dict[str, list[str]] = {}
    for file in sorted(set(PACKAGE.rglob("*.py")) - but):
        for text in _texts(file):
            if text in known or len(known.intersection(re.split(r"[,/\s]+", text))) > 1:
                found.setdefault(str(file.relative_to(PACKAGE)), []).append(text)
    return found


def test_no_list_of_families_stands_beside_the_registry() -> None:
    own = {Path(inspect.getfile(family.function)) for family in families()}
    assert _naming([family.name for family in families()], own | OF_PAPERS | OF_FORMATS | OF_BEGINNINGS) == {}


def test_no_list_of_gpus_stands_beside_their_files() -> None:
    assert _naming(list_profiles(), OF_PAPERS | OF_FITS | OF_BEGINNINGS) == {}


def test_the_search_finds_names_where_they_stand() -> None:
    found = _naming([family.name for family in families()], set())
    assert {text for texts in found.values() for text in texts} >= {family.name for family in families()}
