"""The picture that a comparison's page opens with: every plan and scenario, coloured, doubt marked."""

from __future__ import annotations

import re

from infersim.report.html.matrix import STRONGEST, Cell, Matrix, matrix_html
from infersim.report.html.page import render_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.matrix import speedup_matrix
from tests.report.handmade import comparison


def cell(speedup: float, unsure: bool = False) -> Cell:
    return Cell(text=f"{speedup:.2f}x", speedup=speedup, words="<b>words</b>", unsure=unsure)


def shades(html: str) -> list[tuple[str, float]]:
    return [
        (colour, float(share)) for colour, share in re.findall(r"rgba\((\d+), \d+, \d+, ([\d.]+)\)", html)
    ]


def test_colours_grow_with_the_logarithm_and_a_loss_has_another() -> None:
    cells = (cell(2.0), cell(2**0.5), cell(1.0), cell(0.5))
    html = matrix_html(Matrix(title="t", caption="c", heads=("a", "b", "c", "d"), rows=(("plan", cells),)))
    (full, half, none, slow) = shades(html)
    assert full[1] == STRONGEST
    assert abs(half[1] - STRONGEST / 2) < 0.01
    assert none[1] == 0
    assert slow[1] == STRONGEST
    assert full[0] == half[0] != slow[0]
    assert "<b>words" not in html


def test_a_small_gain_is_no_strong_colour() -> None:
    html = matrix_html(Matrix(title="t", caption="c", heads=("a",), rows=(("plan", (cell(1.02),)),)))
    assert shades(html)[0][1] < 0.1


def test_a_speedup_whose_interval_holds_1_is_marked() -> None:
    frame = comparison(
        {"family": "static-nk"},
        {
            "family": "kv-pruning",
            "predicted": 1.02,
            "predicted_lower": 0.9,
            "predicted_upper": 1.2,
            "bound": 1.1,
        },
    )
    rows = dict(speedup_matrix(frame).rows)
    (sure,), (unsure,) = rows.values()
    assert sure is not None
    assert unsure is not None
    assert (sure.unsure, unsure.unsure) == (False, True)
    assert unsure.text == "~1.02x"
    assert next(iter(rows)).startswith("static-nk")


def test_the_page_opens_with_one_verdict_then_the_matrix_and_its_notes_fold(report: ComparisonReport) -> None:
    html = render_page(compare_page(report))
    words = html.partition("<main>")[2]
    opening, matrix, rest = words.partition('<figure class="matrix">')
    assert matrix
    assert opening.count("<p") <= 4
    assert rest.index('<details class="trust">') < rest.index("data-figure=")
    rows = rest.partition("</figure>")[0].count('<tr><th scope="row">')
    assert rows == report.comparison["plan"].nunique()
