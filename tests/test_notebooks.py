"""The notebooks run from first to last cell, say nothing on standard error, and are kept without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import infersim

ROOT = Path(infersim.__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIGURE = "application/vnd.plotly.v1+json"
TIMEOUT_S = 300


def read(path: Path) -> Any:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def executed(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Outputs of the notebook, run in `folder` by a kernel of this interpreter; a cell's error is raised."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))  # no settings of whoever runs the tests
    # No kernel that is installed for the user or the system: only that of this interpreter is left.
    own = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    notebook = read(path)
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=own),
        timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(cleanup_kc=True)
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = executed(path, tmp_path, monkeypatch)
    warned = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not warned
    drawn = [output["data"] for output in outputs if FIGURE in output.get("data", {})]
    assert drawn, "figures must be drawn by what is installed, not by a library from the network"
    assert not [data for data in drawn if "https://" in str(data.get("text/html", ""))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    left = [cell.source for cell in code if cell.outputs or cell.execution_count is not None]
    assert not left, "strip them: nbstripout notebooks/*.ipynb"


def test_the_readme_lists_all_of_them() -> None:
    said = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"({path.name})" not in said] == []


def test_they_use_the_public_interface_only() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    assert "import infersim as sim" in sources
    assert "from infersim" not in sources
