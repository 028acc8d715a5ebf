"""What the page's script finds in the page: figures as JSON, and data as CSV, equal data once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from infersim.simulation.columns import with_joined_notes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Islands:
    """Collects figures by name and data by content while the page is written."""

    def __init__(self) -> None:
        self._figures: dict[str, go.Figure] = {}
        self._keys: dict[str, str] = {}

    def add_figure(self, name: str, figure: go.Figure) -> None:
        """Keep `figure` under `name`."""
        self._figures[name] = figure

    def add_data(self, frame: pd.DataFrame) -> str:
        """Keep `frame` as CSV, in full precision; the key that links name it by."""
        csv = with_joined_notes(frame).to_csv(index=False, lineterminator="\n")
        return self._keys.setdefault(csv, f"d{len(self._keys)}")

    def figures_json(self) -> str:
        """Figures by name, as plotly reads them."""
        entries = (f"{json.dumps(name)}: {figure.to_json()}" for name, figure in self._figures.items())
        return harmless(f"{{{', '.join(entries)}}}")

    def data_json(self) -> str:
        """CSV by key."""
        return harmless(_json({key: csv for csv, key in self._keys.items()}))


def harmless(text: str) -> str:
    """JSON that cannot end the script element that holds it: each `<` is written as an escape."""
    return text.replace("<", "\\u003c")


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(values, ensure_ascii=False)
