"""What git tracks is this project's own: nothing minified, no library of others, no large file."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAX_BYTES = 100_000
MAX_LINE = 5000
MAX_OWN_BYTES = 1_000_000  # a fit holds the kernels of several engines

# Data that infersim writes, in which a line may be long: fits, pools of fits, notebooks.
OWN_DATA = (".fit.json", "pool.json", ".ipynb")

MINIFIED = re.compile(r"\.min\.(js|css|mjs)$")
LICENSED = re.compile(
    r"(?i)copyright \(c\)|copyright (19|20)\d\d|\ball rights reserv(ed)|permission is hereby grant(ed)"
    r"|licensed under the (mit|bsd|apache|gnu|mozilla)|SPDX-License(-)Identifier"
)
LICENCE = "LICENSE"

MAX_ENTRIES = 17
MAX_LINES = 300


def tracked() -> list[Path]:
    """The files that git tracks, relative to the root; skipped where this is no checkout."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [Path(name) for name in listed.decode().split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def faults(path: Path, content: bytes) -> list[str]:
    """What shows that a file is not written here."""
    found = []
    if MINIFIED.search(path.name):
        found.append("minified")
    most = MAX_OWN_BYTES if path.name.endswith((".fit.json", "pool.json")) else MAX_BYTES
    if len(content) > most:
        found.append(f"larger than {most} bytes")
    longest = max(map(len, content.split(b"\n")))
    if longest > MAX_LINE and not path.name.endswith(OWN_DATA):
        found.append(f"a line of {longest} bytes")
    if path != Path(LICENCE) and (said := LICENSED.search(content.decode("utf-8", "replace"))):
        found.append(f"a licence of others: {said[0]}")
    return found


def test_nothing_of_others_is_tracked() -> None:
    paths = tracked()
    assert len(paths) > 100
    told = {str(path): faults(path, (ROOT / path).read_bytes()) for path in paths}
    assert {path: found for path, found in told.items() if found} == {}


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("assets/library.min.js", b"x", "minified"),
        ("library.js", b"/* Copyright " + b"2012-2026, Others, Inc. */", "a licence of others"),
        ("library.js", b"f();" * 2000, "a line of 8000 bytes"),
        ("table.csv", b"1,2\n" * 30_000, "larger than 100000 bytes"),
    ],
)
def test_what_others_wrote_is_noticed(name: str, content: bytes, fault: str) -> None:
    (found,) = faults(Path(name), content)
    assert found.startswith(fault)


def test_own_fits_may_be_written_in_one_line_and_hold_several_engines() -> None:
    assert faults(Path("hw_profiles/h100-sxm.fit.json"), b"1," * 200_000) == []


def test_a_folder_holds_what_an_eye_can_take_in() -> None:
    folders = [ROOT / "infersim", *(path for path in (ROOT / "infersim").rglob("*") if path.is_dir())]
    entries = {
        str(folder.relative_to(ROOT)): len([one for one in folder.iterdir() if one.name != "__pycache__"])
        for folder in folders
        if folder.name != "__pycache__"
    }
    assert len(entries) > 10
    assert {folder: count for folder, count in entries.items() if count > MAX_ENTRIES} == {}


def test_a_module_holds_one_idea() -> None:
    modules = sorted((ROOT / "infersim").rglob("*.py"))
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert len(lines) > 100
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}
