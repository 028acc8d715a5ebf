"""Prints, as constraints for pip, the lowest version of each direct dependency that pyproject.toml allows.

Those of the page in the browser, the extra `app`, are among them. It runs before anything is installed: the
standard library only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest_versions(pyproject: Path) -> list[str]:
    """`numpy==1.26` for `numpy>=1.26`; a dependency without a lowest version is refused."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    imported = [*project["dependencies"], *project["optional-dependencies"]["app"]]
    return [_lowest(requirement) for requirement in imported]


def _lowest(requirement: str) -> str:
    found = re.fullmatch(r"([\w.-]+)>=([\w.]+)(,.*)?", requirement)
    if found is None:
        raise SystemExit(f"pyproject.toml: dependency {requirement!r}; expected NAME>=VERSION")
    return f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print(*lowest_versions(Path(sys.argv[1])), sep="\n")
