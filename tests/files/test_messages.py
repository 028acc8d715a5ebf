"""What an error quotes is cut to a sane length, whatever a file or a caller gave."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError, brief


class Hostile:
    def __repr__(self) -> NoReturn:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000,
        b"x" * 1_000_000,
        10**5000,
        list(range(1_000_000)),
        dict.fromkeys(range(1_000_000)),
        np.zeros(1_000_000),
        Hostile(),
    ],
    ids=["text", "bytes", "integer", "list", "mapping", "array", "hostile"],
)
def test_a_message_is_short(value: object) -> None:
    for error in (
        InvalidValueError("key", value, "something else"),
        FileContentError("plan.toml", "key", value, "something else"),
        UnknownNameError("GPU", value, ["l4"]),  # type: ignore[arg-type]
    ):
        assert len(str(error)) < 1500


@pytest.mark.parametrize("value", [1, -1.5, "a", None, True, [1, "b"], ("a",), {"a": 1}, np.float64(2.5)])
def test_short_values_are_quoted_as_they_are(value: object) -> None:
    assert brief(value) == repr(value)


def test_a_long_key_is_cut() -> None:
    assert len(str(FileContentError("plan.toml", "k" * 100_000, 1, "no such key here"))) < 1500
