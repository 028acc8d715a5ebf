"""Wheel and source archive are built as for a release, and the installed program works far from the checkout.

Nothing is fetched. The environment holds no package but the wheel's: its dependencies are those of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Infersim

pytest.importorskip("build", reason="build is not installed")
pytest.importorskip("hatchling", reason="hatchling is not installed")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("infersim", "hw_profiles", "calibration")
STATED = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml")

COMMANDS = (
    "gpus --json",  # of profiles
    "reproduce beyond-flops --json",  # of published measurements
    "compare --model llama-3.1-8b --gpu h100-sxm --families static-nk,dynamic-m --sparsity 0.5 "
    "--phase decode --batch 8 --context 4096 --engine vllm --json",  # of presets, fits and engines
)

Installed = Callable[..., str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the archive, and with the wheel that is built from the archive alone."""
    folder = tmp_path_factory.mktemp("built")
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What `infersim` prints, installed from the wheel, in a folder of its own."""
    environment, elsewhere = built / "environment", tmp_path_factory.mktemp("elsewhere")
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)], elsewhere)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(binaries / "python")]
    _run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(_only(built, "*.whl"))], elsewhere)
    # A folder named in a .pth file gives its packages, and is not asked for .pth files: no editable install.
    packages = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return lambda *arguments: _run([str(binaries / "infersim"), *arguments], elsewhere)


def _run(command: list[str], folder: Path) -> str:
    """What a program prints that knows nothing of the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def _tracked(*folders: str) -> set[str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    listed = subprocess.run(
        ["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, check=True
    ).stdout
    return {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}


def test_both_are_named_by_the_version(built: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    names = {path.name for path in built.iterdir() if path.is_file()}
    assert {f"infersim-{version}-py3-none-any.whl", f"infersim-{version}.tar.gz"} <= names


def test_the_archive_holds_what_git_tracks_of_the_program(built: Path) -> None:
    with tarfile.open(_only(built, "*.tar.gz")) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert _tracked(*SHIPPED, *STATED, "tests") <= held


def test_the_wheel_holds_the_program_and_its_data_as_they_are(built: Path) -> None:
    with zipfile.ZipFile(_only(built, "*.whl")) as wheel:
        own = {name for name in wheel.namelist() if ".dist-info/" not in name}
        tracked = _tracked(*SHIPPED)
        places = {name: name if name.startswith("infersim/") else f"infersim/data/{name}" for name in tracked}
        assert set(places.values()) <= own
        assert [name for name in own if name.endswith(".pyc") or not name.startswith("infersim/")] == []
        changed = [name for name, place in places.items() if wheel.read(place) != (ROOT / name).read_bytes()]
    assert changed == []


def test_the_installed_program_tells_its_version(built: Path, installed: Installed) -> None:
    version = _only(built, "*.whl").name.split("-")[1]
    assert installed("--version") == f"infersim {version}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command).split()[0])
def test_the_installed_program_answers_as_the_checkout_does(
    command: str, installed: Installed, answered: Infersim
) -> None:
    rows = json.loads(installed(*command.split()))
    assert rows == answered(*command.split()).rows
    assert len(rows) > 1
