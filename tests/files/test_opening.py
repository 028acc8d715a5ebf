"""Only regular files of bounded size are read, whatever stands there and whatever it is called."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files import opening
from infersim.files.opening import LIMIT_VARIABLE, opened, opened_text, read_bytes, read_text


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with one of each kind of thing that is no regular file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").touch()
    (tmp_path / "to pipe").symlink_to("pipe")
    (tmp_path / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pipe", "a regular file, and this is a pipe"),
        ("to pipe", "a regular file, and this is a pipe"),
        ("socket", "a regular file, and this is a socket"),
        ("folder", "a regular file, and this is a folder"),
        ("/dev/zero", "a regular file, and this is a device"),
        ("plain/none", "a file that can be read"),
        ("circle", "a file that can be read"),
        ("none", "an existing file"),
        ("a" * 300, "File name too long"),
        ("\udcff", "a path in UTF-8"),
        ("a\0b", "expected a path"),
    ],
)
def test_what_is_no_regular_file_is_told_at_once(folder: Path, name: str, expected: str) -> None:
    for read in (read_bytes, read_text):
        with pytest.raises(InvalidValueError, match=expected) as raised:
            read(folder / name, "plan")
        assert raised.value.key == "plan"


def test_a_pipe_that_comes_in_the_last_moment_is_refused_without_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    status = (folder / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: status)
    with pytest.raises(InvalidValueError, match="this is a pipe"):
        read_bytes(folder / "pipe")


def test_links_are_followed_unless_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link") == b"text"
    with pytest.raises(InvalidValueError, match="this is a link"), opened(tmp_path / "link", follow=False):
        pass


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_bytes(b"x" * 101)
    with pytest.raises(FileContentError, match=rf"plan.toml: size = 'above 100 bytes'.*{LIMIT_VARIABLE}"):
        read_bytes(file, limit=100)
    assert len(read_bytes(file, limit=101)) == 101
    with opened(file, limit=None) as endless:
        assert endless.read(1) == b"x"


def test_what_a_system_file_holds_is_bounded_though_it_states_no_size() -> None:
    status = Path("/proc/self/status")
    assert status.stat().st_size == 0
    with pytest.raises(FileContentError, match="above 10 bytes"):
        read_bytes(status, limit=10)


def test_the_environment_changes_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plan.toml"
    file.write_bytes(b"x" * 2000)
    monkeypatch.setenv(LIMIT_VARIABLE, "0.001")
    with pytest.raises(FileContentError, match="above 1048 bytes"):
        read_bytes(file)
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    assert len(read_bytes(file, limit=100)) == 2000
    for wrong in ("much", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(LIMIT_VARIABLE, wrong)
        with pytest.raises(
            InvalidValueError, match=f"{LIMIT_VARIABLE} = '{wrong}'; expected a number of MiB"
        ):
            read_bytes(file)


def test_an_error_while_reading_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.touch()

    def failing() -> None:
        with opened(file, "samples"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(InvalidValueError, match=rf"samples = '{file}'.*Input/output error"):
        failing()


def test_text_is_utf_8_without_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(file) == "a\r\nb"
    with opened_text(file) as text:
        assert text.readlines() == ["a\n", "b"]
    file.write_bytes(b"ab\xff")
    with pytest.raises(FileContentError, match=r"^mine: byte 2 = 'no text'; expected UTF-8"):
        read_text(file, name="mine")


def test_limits_are_those_of_the_documentation() -> None:
    limits = (opening.TOML_LIMIT, opening.TEXT_LIMIT, opening.DATA_LIMIT)
    assert [limit // opening.MIB for limit in limits] == [1, 16, 4096]


def test_a_line_without_end_is_told_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_LINE", 100)
    file = tmp_path / "samples.csv"
    file.write_text("a,b\n" + "x" * 99 + "\n" + "y" * 101)
    with (
        opened_text(file) as text,
        pytest.raises(FileContentError, match=r"samples\.csv: line 3 = 'too long'.*100"),
    ):
        list(text)
    file.write_bytes(b"a\r\n" + b"x" * 98 + b"\r\n")
    with opened_text(file, newline="") as text:
        assert [len(line) for line in text] == [3, 100]
