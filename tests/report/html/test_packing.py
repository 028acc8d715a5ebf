"""What a page carries packed: any text comes back, and no parser of HTML can change it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plotly.offline import get_plotlyjs

from infersim.report.html.packing import packed, unpacked
from infersim.report.html.plotly_js import plotly_file, quick_to_start


@example("")
@example("</script><!-- \0\r\n")
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert unpacked(packed(text)) == text


@given(st.binary(max_size=2000).map(lambda data: data.decode("latin-1")))
def test_a_parser_of_html_changes_nothing(text: str) -> None:
    characters = packed(text)
    assert not set("\0\r<") & set(characters)

    class Reader(HTMLParser):
        data = ""

        def handle_data(self, data: str) -> None:
            self.data += data

    reader = Reader()
    reader.feed(f"<script>{characters}</script>")
    reader.close()
    assert reader.data == characters


def test_a_character_holds_seven_bits_of_what_is_deflated() -> None:
    import zlib

    text = "".join(map(chr, range(32, 127))) * 3
    assert len(packed(text)) == -(-len(zlib.compress(text.encode(), 9)) * 8 // 7)


def test_the_library_is_that_of_the_installed_package() -> None:
    assert plotly_file().read_text(encoding="utf-8") == get_plotlyjs()


def test_a_page_starts_the_traces_that_its_figures_use_and_no_others() -> None:
    """Of 47 kinds in plotly.js 4.1, bar stands beside the core's scatter."""
    code = get_plotlyjs()
    quick = quick_to_start(code)
    if quick == code:
        pytest.skip("this plotly.js is of another make, and is carried as it is")
    (started,) = [part for part in quick.split(".register([")[1:] if part.count("()", 0, 12) == 1][:1]
    name = started.partition("(")[0]
    assert f"var {name}=" in code
    assert abs(len(code) - len(quick)) < 1000
    assert quick.count("\n") == code.count("\n")


@pytest.mark.parametrize(
    "code", ["", "register([a(),b()])", ".register([" + ",".join("abcdefghijklmnopqrstuvwxyz")]
)
def test_code_of_another_make_is_left_as_it_is(code: str) -> None:
    assert quick_to_start(code) == code
