"""What the page's script finds in the page: figures as JSON, and data as CSV, equal data once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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
        return self._keys.setdefault(frame.to_csv(index=False, lineterminator="\n"), f"d{len(self._keys)}")

    def figures_json(self) -> str:
        """Figures by name, as plotly reads them."""
        entries = (f"{json.dumps(name)}: {figure.to_json()}" for name, figure in self._figures.items())
        return f"{{{', '.join(entries)}}}"

    def data_json(self) -> str:
        """CSV by key."""
        return json.dumps({key: csv for csv, key in self._keys.items()}, ensure_ascii=False)
