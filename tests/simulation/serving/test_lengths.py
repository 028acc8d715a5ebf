"""Traces of requests: lengths as files state them, under one name each."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError
from infersim.simulation.serving.lengths import lengths_of_trace


def written(folder: Path, text: str) -> Path:
    file = folder / "requests.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize("header", ["prompt,output", "ContextTokens,GeneratedTokens", "ISL,osl"])
def test_names_of_columns_are_those_of_published_traces(tmp_path: Path, header: str) -> None:
    found = lengths_of_trace(written(tmp_path, f"{header},arrived\n100,20,0.5\n200,30,0.7\n"))
    assert found.prompts.tolist() == [100, 200]
    assert found.outputs.tolist() == [20, 30]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "prompt,input_tokens,output\n100,900,20\n",
            r"line 2: input_tokens = '900'; expected 100, as .* prompt",
        ),
        (
            "prompt,PROMPT,output\n100,900,20\n",
            r"line 2: columns = 'prompt, PROMPT, output'; .* once, in any case",
        ),
        ("prompt,prompt,output\n100,900,20\n", r"column 2 = 'prompt'; expected each column once"),
        ("prompt,output\n100,-20\n", r"line 2: output = '-20'; expected a whole number"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileContentError, match=message):
        lengths_of_trace(written(tmp_path, text))


def test_two_names_for_one_length_may_agree(tmp_path: Path) -> None:
    found = lengths_of_trace(written(tmp_path, "prompt,input_tokens,output\n100,100,20\n"))
    assert found.prompts.tolist() == [100]
