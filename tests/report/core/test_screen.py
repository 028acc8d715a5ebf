"""A screen cuts rows and columns, says so, and breaks no word of a heading."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from infersim.report.core.grid import clipped, width_of
from infersim.report.core.screen import MOST_LINES, Answer, brief, fitted, screen_lines
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.trust import grade_line
from infersim.report.core.verdict import Verdict

NAMED = Table(
    title="Many",
    frame=pd.DataFrame({"name": [f"row {n}" for n in range(60)], "value": range(60), "more": range(60)}),
    columns=(
        text_column("name", "name"),
        number_column("the value\nof it", "value", str),
        number_column("more detail", "more", str, detail=1),
    ),
)


def test_rows_beyond_the_room_are_counted() -> None:
    table = Table(title="t", frame=NAMED.frame, columns=(Column(heading="x" * 50, keys=("name",)),))
    grid = fitted(table, 60, 12)
    assert len(grid.lines) == 12
    assert grid.rows_left == 50


def test_rows_stand_abreast_where_that_shows_more() -> None:
    grid = fitted(NAMED, 80, 34)
    assert grid.rows_left == 0
    assert grid.columns_left == 0
    assert len(grid.lines) == 2 + 30


def test_columns_of_detail_go_first() -> None:
    grid = fitted(NAMED, 20, 40)
    assert "more detail" not in grid.lines[0]
    assert grid.columns_left == 1


def test_a_heading_is_broken_only_where_it_may_be() -> None:
    wide, narrow = fitted(NAMED, 80, 70), fitted(NAMED, 30, 70)
    assert "the value of it" in wide.lines[0]
    assert [line.split()[-1] for line in narrow.lines[:2]] != ["value", "of"]
    assert any("the value" in line for line in narrow.lines[:2])


def test_each_section_keeps_some_rows() -> None:
    labels = tuple(f"part {n // 20}" for n in range(60))
    table = Table(title="t", frame=NAMED.frame, columns=NAMED.columns, labels=labels)
    lines = fitted(table, 80, 20).lines
    assert [line for line in lines if line.startswith("part")] == ["part 0", "part 1", "part 2"]
    assert len(lines) <= 20


@pytest.mark.parametrize("sections", [1, 7, 60])
def test_a_screen_is_never_longer(sections: int) -> None:
    labels = tuple(f"part {n * sections // 60}" for n in range(60))
    table = Table(title="t", frame=NAMED.frame, columns=NAMED.columns, labels=labels, caption="word " * 20)
    verdict = Verdict(sentences=tuple("A sentence of some length. " * 9 for _ in range(9)), grade="Good.")
    for width in (60, 80, 200):
        assert len(screen_lines(Answer(verdict=verdict, tables=(table,)), width)) <= MOST_LINES


def test_what_full_adds_is_one_line() -> None:
    verdict = Verdict(sentences=("One. Two. Three. Four.",), notes=("a", "b"))
    other = replace(NAMED, title="Others: of the same")
    last = screen_lines(Answer(verdict=verdict, tables=(replace(NAMED, frame=NAMED.frame[:9]), other)), 80)[
        -1
    ]
    assert last.text == "--full also shows 1 table (Others), 1 more sentence and 2 notes."


def test_a_paragraph_gives_its_first_sentences() -> None:
    assert brief(Verdict(sentences=("One is. Two is. Three is. Four is.",)), 80) == (
        "One is.",
        "Two is.",
        "Three is.",
    )
    assert brief(Verdict(sentences=("One. Two.", "Three. Four.")), 80) == ("One.", "Three.")
    assert brief(Verdict(sentences=("Long.",), short=("Short.",)), 80) == ("Short.",)


def test_wide_characters_take_two_columns() -> None:
    assert width_of(["漢字"]) == 4
    assert clipped("漢字漢字", 5) == "漢字…"


def test_a_grade_counts_what_is_unlike_and_wide() -> None:
    line = grade_line(["fitted"] * 3, ["a"] * 3, [0.05, 0.05, 0.4], [True, False, True])
    assert line == "Calibration: measured on a; typically ±5 %; 1 of 3 rows extrapolated."
    assert "extrapolated" not in grade_line(["fitted"], ["a"], [0.09], [True])
    assert "sibling card for b" in grade_line(["borrowed"], ["b"])
    assert "extrapolated from the datasheet for c" in grade_line(["none"], ["c"])
