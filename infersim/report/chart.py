"""A chart of the page: one or several panels with a shared legend, each with the data it was drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One figure; `data` is what the page offers beside it as CSV, `finding` what it shows, in words."""

    title: str
    figure: go.Figure
    data: pd.DataFrame
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Panels that show the same of several things; `wide` ones stand below each other.

    `finding` is what they show, in a sentence; `caption` says how to read them.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    wide: bool = False
    finding: str = ""
