"""Other people's files are read within bounds: the hostile and the damaged cost little."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.foreign import MAX_YAML_BYTES, read_json, read_text, read_yaml


def file_of(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: &x [1]\nb: [*x, *x]", "line 1 = 'an anchor (&)'; expected values written out"),
        ("a: 1\nb: {c: 1, c: 2}", "'c' = 'there twice'; expected each key once"),
        ("[" * 10_000, "nesting = 'too deep'"),
        ("a: [1,", "line 1, column 7 = 'damaged'"),
        ("a: !!python/object/apply:os.system [x]", "expected valid YAML (could not determine a constructor"),
        (f"a: {'9' * 5000}", "expected plain YAML: Exceeds the limit"),
        ("a: 2024-99-99", "expected plain YAML: month must be"),
        ("a: 1\n---\nb: 2", "found another document"),
        ("a: *x", "found undefined alias"),
        (b"\xff\xfe\x00", "byte 0 = 'no text'; expected UTF-8"),
        ("x" * (MAX_YAML_BYTES + 1), "size = 'above 131072 bytes'; expected at most 0.125 MiB"),
    ],
)
def test_yaml_that_is_no_plain_data(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        read_yaml(file_of(tmp_path, "plan.yaml", content), "plan")
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/plan.yaml: ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 100_000, "nesting = 'too deep'"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "c = 'there twice'"),
        ("[1, NaN]", "a number = 'NaN'; expected a finite number"),
        (f"[{'9' * 5000}]", "a number = 'thousands of digits'"),
        ("[1,\n2", "line 2, column 2"),
        ("", "line 1, column 1"),
    ],
)
def test_json_that_is_none(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        read_json(file_of(tmp_path, "plan.json", content), "plan")
    assert told in str(caught.value)


def test_plain_data_comes_back_as_it_stands(tmp_path: Path) -> None:
    assert read_yaml(file_of(tmp_path, "a.yaml", "a: [1, 2.5, x, null]\nb: {c: true}"), "plan") == {
        "a": [1, 2.5, "x", None],
        "b": {"c": True},
    }
    assert read_json(file_of(tmp_path, "a.json", b'\xef\xbb\xbf{"a": [1]}'), "plan") == {"a": [1]}
    assert read_text(file_of(tmp_path, "a.txt.gz", gzip.compress(b"22-28")), "plan") == "22-28"


def test_a_bomb_is_unpacked_no_further_than_the_limit(tmp_path: Path) -> None:
    bomb = file_of(tmp_path, "a.json.gz", gzip.compress(b" " * 50_000_000))
    tracemalloc.start()
    with pytest.raises(FileContentError, match=r"size = 'above 1000000 bytes'"):
        read_json(bomb, "plan", limit=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_cut_archive_and_a_missing_file(tmp_path: Path) -> None:
    cut = file_of(tmp_path, "a.json.gz", gzip.compress(b'{"a": 1}' * 100)[:-20])
    with pytest.raises(FileContentError, match="damaged"):
        read_json(cut, "plan")
    with pytest.raises(InvalidValueError, match="an existing file"):
        read_yaml(tmp_path / "none.yaml", "plan")
