"""Content is of a few levels and short keys: a small hostile file takes little memory and time."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.files.bounds import MAX_KEY, MAX_LEVELS, check_bounds, check_toml
from infersim.files.foreign import read_json
from infersim.files.reading import parse_toml, read_toml

LONG = 20_000


@pytest.mark.parametrize(
    "text",
    [
        "[" + ".".join("a" * LONG) + "]",
        ".".join("a" * LONG) + " = 1",
        " . ".join(["a"] * LONG) + " = 1",
        '."b c"'.join(["a"] * LONG) + " = 1",
        ".'b.c'".join(["a"] * LONG) + " = 1",
        "a = {" + ".".join("b" * LONG) + " = 1}",
        "a = " + "{b=" * LONG,
        "a = " + "[" * LONG + "]" * LONG,
        'a = """' + '"" ' * LONG + '"""\n[' + ".".join("a" * LONG) + "]",
        "[" + ".".join("a" * 300) + "]",
        "a = " + "[" * 400 + "]" * 400,
    ],
)
def test_deep_toml_is_told_in_little_memory_and_time(text: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(FileContentError, match=r"plan: nesting = 'too deep'; expected at most \d+ levels"):
        parse_toml(text, "plan")
    assert time.process_time() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_as_many_levels_as_allowed_are_read() -> None:
    text = ".".join("a" * (MAX_LEVELS - 1)) + " = 1"
    assert parse_toml(text, "plan")["a"]["a"]
    with pytest.raises(FileContentError, match="too deep"):
        parse_toml(f"a.{'a.' * MAX_LEVELS}b = 1", "plan")


def test_dots_and_brackets_in_texts_and_comments_are_no_levels() -> None:
    dots = ".".join("a" * 1000) + "[" * 1000
    tables = parse_toml(
        f"# {dots}\na = \"{dots}\"\nb = '{dots}'\nc = '''\n{dots}'''\nd = \"\"\"{dots}\n\"\"\"\n"
        "e = [" + "[1.5, 2.5], " * 1000 + "]\n[f.g]\nh = 1",
        "plan",
    )
    assert tables["a"] == tables["b"] == tables["c"] == dots
    assert (len(tables["e"]), tables["f"]) == (1000, {"g": {"h": 1}})


def test_a_long_text_is_searched_in_time_linear_to_it() -> None:
    for text in ("a" * 2_000_000 + "." * 600, '"' * 300_000 + "." * 600, "'''" + "'' " * 200_000 + "." * 600):
        started = time.process_time()
        check_toml(text.replace(".", ". x ="), "plan")
        assert time.process_time() - started < 2


def test_a_long_key_is_told(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("a" * (MAX_KEY + 1) + " = 1")
    with pytest.raises(FileContentError, match=rf"plan\.toml: a+\.\.\. = '{MAX_KEY + 1} characters'"):
        read_toml(file)
    file.write_text("a" * MAX_KEY + " = 1")
    assert len(read_toml(file)) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 100 + "]" * 100, "too deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "too deep"),
        (f'{{"b": [{{"{"a" * 1000}": 1}}]}}', "1000 characters"),
    ],
)
def test_json_is_bounded_likewise(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    with pytest.raises(FileContentError, match=told):
        read_json(file, "plan")


def test_values_alone_are_within_bounds() -> None:
    values: tuple[object, ...] = (1, "text" * 10_000, None, [], {}, [1] * 10_000)
    for value in values:
        check_bounds(value, "plan")
