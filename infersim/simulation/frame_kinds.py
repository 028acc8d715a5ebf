"""What a frame answers: a mark in its attributes, which selecting rows and columns leaves in place."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")

MARK = "infersim"
"""The key in `frame.attrs`."""


class FrameKind(StrEnum):
    """The public function that a frame came from."""

    PREDICT = "predict"
    COMPARE = "compare"
    COMPARE_ALONG = "compare_along"
    SPARSITY_FOR = "sparsity_for"
    BREAK_EVEN = "break_even"
    FREE_WIDTHS = "free_widths"
    PADDED_WIDTHS = "padded_widths"
    SERVE = "serve"
    COMPARE_SERVED = "compare_served"
    LATENCY_TABLE = "latency_table"


def marked(frame: pd.DataFrame, kind: FrameKind) -> pd.DataFrame:
    """`frame` itself, marked as of `kind`."""
    frame.attrs[MARK] = kind.value
    return frame


def marks(kind: FrameKind) -> Callable[[Callable[P, pd.DataFrame]], Callable[P, pd.DataFrame]]:
    """Decorate a function so that the frames it returns are marked as of `kind`."""

    def decorated(function: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
            return marked(function(*args, **kwargs), kind)

        return wrapped

    return decorated


def kind_of(frame: pd.DataFrame) -> FrameKind | None:
    """What `frame` is marked as; None where it bears no mark that is known."""
    mark = frame.attrs.get(MARK)
    return FrameKind(mark) if mark in set(FrameKind) else None
