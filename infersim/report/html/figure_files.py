"""The figures of a page as files, PNG and SVG: drawn by kaleido, which drives a Chrome or Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from infersim.domain.errors import InfersimError
from infersim.files.opening import DATA_LIMIT, read_bytes
from infersim.files.writing import make_folder, write_bytes
from infersim.report.html.body import full_title
from infersim.report.html.elements import file_name
from infersim.report.html.plotly_js import plotly_file

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from infersim.report.html.page import Page

FORMATS = ("png", "svg")

EXTRA = "png"
"""The extra of infersim that brings kaleido."""

_WIDTH = 900
_ROOM = 110
"""Pixels above a figure, for its title and legend."""


def write_figures(folder: str | Path, page: Page) -> list[Path]:
    """Write every figure of `page` into `folder`, which is made if need be; returns the files.

    Raises InfersimError where kaleido or a browser is missing, or where one of them fails, and
    InvalidValueError for a folder that cannot be made.
    """
    try:
        import kaleido  # noqa: F401
    except ImportError as error:
        raise InfersimError(
            f"figures as files need kaleido: pip install 'infersim[{EXTRA}]'; a page (--html) needs nothing"
        ) from error
    folder = Path(folder)
    make_folder(folder)
    options = {"plotlyjs": str(plotly_file()), "mathjax": False}
    with TemporaryDirectory(prefix="infersim-") as private:  # kaleido writes by name: nobody else can here
        tasks = list(_tasks(Path(private), page))
        _draw(tasks, options)
        drawn = [(folder / task["path"].name, task["path"]) for task in tasks]
        for path, made in drawn:
            write_bytes(path, read_bytes(made, "figure", DATA_LIMIT), "figure")
    return [path for path, _ in drawn]


def _draw(tasks: list[dict[str, Any]], options: dict[str, Any]) -> None:
    import kaleido
    from kaleido.errors import ChromeNotFoundError

    try:
        kaleido.write_fig_from_object_sync(tasks, kopts=options, cancel_on_error=True)
    except ChromeNotFoundError as error:
        raise InfersimError(
            "figures as files need a Chrome or Chromium: install one, or name it in BROWSER_PATH"
        ) from error
    except (RuntimeError, OSError, TimeoutError) as error:
        raise InfersimError(f"the browser did not draw the figures: {error}") from error


def figure_names(page: Page) -> Iterator[tuple[str, go.Figure, str]]:
    """Name, figure and title of every figure: `prefill-batch-1_waterfall_static-nk-50`, no name twice."""
    taken: set[str] = set()
    for view in page.views:
        for chart in view.charts:
            for panel in chart.panels:
                parts = [file_name(view.label)] if len(page.views) > 1 else []
                parts += [chart.name, *([file_name(panel.title)] if len(chart.panels) > 1 else [])]
                name = "_".join(parts)
                number = 2
                while name in taken:
                    name, number = f"{'_'.join(parts)}-{number}", number + 1
                taken.add(name)
                yield name, panel.figure, full_title(panel, chart)


def standalone(figure: go.Figure, title: str) -> go.Figure:
    """The figure away from the page: on white, with its title, and with a legend of what is visible."""
    import plotly.graph_objects as go

    shown = [trace for trace in figure.data if trace.visible in (None, True)]
    alone = go.Figure(data=shown, layout=figure.layout)
    alone.update_layout(
        title={"text": title, "x": 0, "xref": "paper", "y": 0.98, "yref": "container", "yanchor": "top"},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        margin={"l": 12, "r": 16, "t": 56, "b": 12},
        paper_bgcolor="#ffffff",
        showlegend=True,
    )
    return alone


def _tasks(folder: Path, page: Page) -> Iterator[dict[str, Any]]:
    for name, figure, title in figure_names(page):
        alone = standalone(figure, title).to_dict()
        size = {"width": _WIDTH, "height": int(figure.layout.height) + _ROOM}
        for kind in FORMATS:
            scale = 2 if kind == "png" else 1
            yield {
                "fig": alone,
                "path": folder / f"{name}.{kind}",
                "opts": {"format": kind, "scale": scale, **size},
            }
