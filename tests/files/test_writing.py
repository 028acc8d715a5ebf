"""Files are written whole or not at all, through no link, and a failure leaves what was there."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infersim.domain.errors import InvalidValueError
from infersim.files import writing
from infersim.files.writing import (
    UNFINISHED,
    UnwritableError,
    check_folder,
    check_place,
    make_folder,
    open_appending,
    replacing,
    write_bytes,
    write_whole,
)


@pytest.fixture(params=["unnamed", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, on a system that can make files without a name, and on one that cannot."""
    if request.param == "named":
        monkeypatch.setattr(writing, "_OPEN_FILES", tmp_path / "none")
    return tmp_path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: this process cannot write more into a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_is_new_or_takes_the_old_ones_place(folder: Path) -> None:
    file = folder / "fit.json"
    for content in (b"first", b"second, which is longer", b""):
        write_bytes(file, content)
        assert file.read_bytes() == content
        assert names(folder) == ["fit.json"]


def test_the_old_file_stays_until_the_new_one_is_whole(folder: Path) -> None:
    file = folder / "fit.json"
    file.write_bytes(b"old")
    with replacing(file) as begun:
        begun.write(b"new")
        begun.flush()
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt, MemoryError])
def test_whatever_goes_wrong_leaves_the_old_file_alone(folder: Path, failure: type[BaseException]) -> None:
    file = folder / "fit.json"
    file.write_bytes(b"old")

    def failing() -> None:
        with replacing(file) as begun:
            begun.write(b"new")
            raise failure

    with pytest.raises(failure):
        failing()
    assert file.read_bytes() == b"old"
    assert names(folder) == ["fit.json"]


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_full_disk_costs_nothing_and_is_told_of_the_file_that_was_asked_for(
    folder: Path, size: int
) -> None:
    file = folder / "fit.json"
    file.write_bytes(b"old")
    with files_of_at_most(5), pytest.raises(UnwritableError) as raised:
        write_bytes(file, b"x" * size, "fit file")
    assert str(raised.value).startswith(f"fit file = '{file}'; expected a file that can be written (")
    assert UNFINISHED not in str(raised.value)
    assert file.read_bytes() == b"old"
    assert names(folder) == ["fit.json"]


def test_the_mode_is_the_old_files_or_as_the_umask_has_it(folder: Path) -> None:
    secret, new = folder / "secret", folder / "new"
    secret.write_bytes(b"")
    secret.chmod(0o600)
    mask = os.umask(0o027)
    try:
        write_bytes(secret, b"mine")
        write_bytes(new, b"")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


@pytest.mark.parametrize("leads_to", ["target", "missing", "link"])
def test_no_link_is_followed(folder: Path, leads_to: str) -> None:
    target = folder / "target"
    target.write_bytes(b"precious")
    (folder / "link").symlink_to(leads_to)
    for write in (lambda: write_bytes(folder / "link", b"new"), lambda: open_appending(folder / "link")):
        with pytest.raises(InvalidValueError, match="this is a link"):
            write()
    assert target.read_bytes() == b"precious"
    assert names(folder) == ["link", "target"]


def test_a_link_that_comes_while_writing_is_replaced_and_not_followed(folder: Path) -> None:
    target, file = folder / "target", folder / "file"
    target.write_bytes(b"precious")
    with replacing(file) as begun:
        begun.write(b"new")
        file.symlink_to(target)
    assert target.read_bytes() == b"precious"
    assert (file.read_bytes(), file.is_symlink()) == (b"new", False)


def test_an_unfinished_name_that_is_taken_is_never_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_OPEN_FILES", tmp_path / "none")
    monkeypatch.setattr(writing, "_new_name", lambda: "foretold")
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "foretold").symlink_to(target)
    with pytest.raises(UnwritableError, match="File exists"):
        write_bytes(tmp_path / "file", b"new")
    assert target.read_bytes() == b"precious"


def test_names_cannot_be_foretold() -> None:
    assert len({writing._new_name() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "this is a folder"),
        (".", "this is a folder"),
        ("/", "this is a folder"),
        ("folder", "this is a folder"),
        ("pipe", "a regular file"),
        ("socket", "a regular file"),
        ("/dev/null", "a regular file"),
        ("none/file", "a folder that exists"),
        ("file/file", "a folder that exists"),
        ("a" * 300, "File name too long"),
        ("\udcff", "a path in UTF-8"),
        ("a\0b", "expected a path"),
        ("/proc/file", "can be written"),
    ],
)
def test_places_that_are_none_are_told_at_once(
    folder: Path, name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("folder").mkdir()
    Path("file").touch()
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("socket")
        before = names(folder)
        for check in (check_place, open_appending, lambda path: write_whole(path, "x")):
            with pytest.raises(InvalidValueError, match=expected):
                check(Path(name))
        assert names(folder) == before


def test_a_read_only_file_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(InvalidValueError, match="read-only"):
        check_place(folder / "file")


def test_a_check_leaves_nothing(folder: Path) -> None:
    assert check_place(folder / "file") is None
    check_folder(folder / "new" / "newer")
    assert names(folder) == []


def test_half_characters_become_question_marks(folder: Path) -> None:
    write_whole(folder / "page.html", "a \ud800 b é")
    assert (folder / "page.html").read_text(encoding="utf-8") == "a ? b é"


def test_a_folder_is_made_where_one_can_be(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    make_folder(tmp_path / "link")
    for place in ("file", "file/below"):
        for check in (check_folder, make_folder):
            with pytest.raises(InvalidValueError, match="a folder, or where one can be made"):
                check(tmp_path / place)
    with pytest.raises(InvalidValueError, match="this is a link"):
        make_folder(tmp_path / "link", asked=False)


KILLED = """
import os, sys
from infersim.files.writing import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"x" * 100_000)
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux makes files without a name")
def test_a_killed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "fit.json"
    file.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["fit.json"]
