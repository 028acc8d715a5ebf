"""Tables on a terminal: readable at 80 columns, nothing cut off, nothing read as markup."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from infersim.report.core.table import Column, Table, text_column
from infersim.report.core.terminal import in_blocks, print_table, print_verdict
from infersim.report.core.verdict import Verdict
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.tables import compare_table, loss_table, parts_table
from infersim.report.speedups.verdict import compare_verdict


def printed(table: Table, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    print_table(table, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_every_cell_is_printed_at_every_width(report: ComparisonReport, width: int) -> None:
    for table in (
        compare_table(report.comparison),
        loss_table(report.comparison),
        parts_table(report.comparison),
    ):
        text = printed(table, width)
        assert all(len(line) <= width for line in text.splitlines())
        squeezed = "".join(text.split())
        for row in table.rows():
            for cell in row[1:]:
                for word in cell.split():
                    assert word in squeezed, (width, word)


def test_a_narrow_terminal_breaks_words_rather_than_cut_them(report: ComparisonReport) -> None:
    text = printed(compare_table(report.comparison), 50)
    assert all(len(line) <= 50 for line in text.splitlines())
    assert "…" not in text


def test_a_wide_terminal_breaks_no_line(report: ComparisonReport) -> None:
    table = compare_table(report.comparison)
    lines = printed(table, 200).splitlines()
    assert sum(line.startswith("static-k-2:4 50\u00a0%") for line in lines) == 2
    assert any("1.50x" in line and "static-nk 50\u00a0%" in line for line in lines)


def test_at_80_columns_words_stay_whole(report: ComparisonReport) -> None:
    blocks = in_blocks(compare_table(report.comparison), 80)
    text = "".join(printed(block, 80) for block in blocks).replace("\u00a0", " ")
    for word in ("static-k-2:4", "predicted", "measured", "50 %"):
        assert word in text


def test_sections_have_columns_of_equal_width(report: ComparisonReport) -> None:
    lines = printed(compare_table(report.comparison), 120).splitlines()
    rules = [line for line in lines if set(line.strip()) == {"─"}]
    assert len(rules) == 2
    assert len(set(rules)) == 1


def test_names_are_not_markup() -> None:
    table = Table(
        title="[red]title[/red]",
        frame=pd.DataFrame({"plan": ["[bold]mine[/bold]"]}),
        columns=(text_column("plan", "plan"),),
    )
    text = printed(table, 80)
    assert "[red]title[/red]" in text
    assert "[bold]mine[/bold]" in text


def test_a_heading_of_fewer_lines_stands_at_the_bottom() -> None:
    columns = (Column(heading="low", keys=("a",)), Column(heading="two\nlines", keys=("a",)))
    lines = printed(Table(title="t", frame=pd.DataFrame({"a": [1]}), columns=columns), 80).splitlines()
    assert lines[2].split() == ["two"]
    assert lines[3].split() == ["low", "lines"]


def test_a_verdict_prints_sentences_before_notes(report: ComparisonReport) -> None:
    verdict = compare_verdict(report.comparison)
    console = Console(file=StringIO(), width=80)
    print_verdict(verdict, console)
    assert isinstance(console.file, StringIO)
    text = " ".join(console.file.getvalue().replace("\u00a0", " ").split())
    assert text == " ".join((*verdict.sentences, *verdict.notes))


def test_an_empty_verdict_prints_nothing() -> None:
    console = Console(file=StringIO(), width=80)
    print_verdict(Verdict(sentences=()), console)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == ""
