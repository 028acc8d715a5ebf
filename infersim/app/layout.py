"""The page's controls and the places of its panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from infersim.app.choices import (
    LEAST_PERCENT,
    MOST_PERCENT,
    PHASES,
    STOPS,
    Choices,
    slider_id,
    switch_id,
)
from infersim.app.models import OWN
from infersim.app.panels import PANELS
from infersim.domain.dtypes import PRECISIONS, DType
from infersim.engines.reading import list_engines
from infersim.profile_files.profiles import list_profiles
from infersim.pruning.families.family import Family
from infersim.pruning.families.registry import families
from infersim.workload.presets import list_models

STATED = "as the model states"
"""What the empty choice of a format is called."""

SLIDERS = {
    "gpus": "GPUs that share the model",
    "batch": "Batch (sequences)",
    "context": "Context or prompt (tokens)",
    "output": "Tokens written",
    "concurrency": "Requests at once",
}

SIDES = 2
"""GPUs that stand side by side."""


def page() -> Any:
    """The whole page; what it shows at first comes with the first answer."""
    start = Choices()
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="config"),
            dcc.Store(id="asked"),
            dcc.Store(id="notice", data=""),
            dcc.Download(id="file"),
            html.Header([html.H1("infersim"), html.P("What pruning gains, and what takes the rest.")]),
            html.Div(
                [
                    html.Form(_controls(start), id="controls", **{"aria-label": "Choices"}),
                    html.Main(
                        [
                            html.P(id="problem", role="alert", hidden=True),
                            html.Div(id="verdict", **{"aria-live": "off"}),
                            html.Div([_panel(name) for name in PANELS], id="panels"),
                            _sharing(),
                        ]
                    ),
                ],
                className="columns",
            ),
        ]
    )


def model_options(config_name: str = "") -> list[dict[str, str]]:
    """The presets, and the config that was dropped, if any."""
    own = [{"label": f"{config_name or 'config.json'} (dropped)", "value": OWN}] if config_name else []
    return [*own, *_options(list_models())]


def _controls(start: Choices) -> list[Any]:
    return [
        _group(
            "Model and pruning",
            [
                _menu("model", "Model", model_options(), start.model),
                dcc.Upload(
                    html.Button("Drop a config.json, or choose one", type="button"),
                    id="drop",
                    accept=".json,application/json",
                    multiple=False,
                ),
                *[_family(family, start) for family in families()],
                _menu("losses", "Losses of", _options([each.name for each in families()], "first"), ""),
            ],
        ),
        _group(
            "Scenario",
            [
                html.Div(
                    [
                        html.Span("Phase", id="phase-label"),
                        dcc.RadioItems(list(PHASES), start.phase, id="phase", inline=True),
                    ],
                    className="control",
                    role="group",
                    **{"aria-labelledby": "phase-label"},
                ),
                *[_slider(name, start) for name in ("batch", "context", "output", "concurrency")],
            ],
        ),
        _group(
            "Hardware",
            [
                _menu("gpu", "GPU", _options(list_profiles()), start.gpu),
                _menu("versus", "Beside it", _options(list_profiles(), "no other GPU"), ""),
                _slider("gpus", start),
                _menu("engine", "Engine", _options(list_engines()), start.engine),
                _menu("dtype", "Format", _options(list(PRECISIONS), STATED), ""),
                _menu("kv_dtype", "KV cache", _options([each.value for each in DType], STATED), ""),
            ],
        ),
    ]


def _group(title: str, children: Sequence[Any]) -> Any:
    return html.Fieldset([html.Legend(title), *children])


def _options(names: Sequence[str], empty: str = "") -> list[dict[str, str]]:
    first = [{"label": empty, "value": ""}] if empty else []
    return [*first, *({"label": name, "value": name} for name in names)]


def _menu(name: str, title: str, options: list[dict[str, str]], value: str) -> Any:
    menu = dcc.Dropdown(options, value, id=name, clearable=False)
    return html.Div([html.Label(title, htmlFor=name), menu], className="control")


def _slider(name: str, start: Choices) -> Any:
    stops = STOPS[name]
    return html.Div(
        [
            html.Label([SLIDERS[name], " ", html.Output(id=f"{name}-text")], htmlFor=name),
            _range(name, 0, len(stops) - 1, start.controls()[name], stops=" ".join(map(str, stops))),
        ],
        className="control",
    )


def _family(family: Family, start: Choices) -> Any:
    """A box that adds the family, and the slider of its sparsity."""
    values = start.controls()
    fixed = family.fixed_sparsity is not None
    slider = slider_id(family)
    percent = _range(slider, LEAST_PERCENT, MOST_PERCENT, values[slider], disabled=fixed)
    return html.Div(
        [
            dcc.Checklist([family.name], values[switch_id(family)], id=switch_id(family)),
            html.Label(html.Output(id=f"{slider}-text"), htmlFor=slider),
            percent,
        ],
        className="control family",
    )


def _range(name: str, low: int, high: int, value: int, *, stops: str = "", disabled: bool = False) -> Any:
    """A slider of the browser's own, which keys move too."""
    return html.Div(
        dcc.Input(id=name, type="range", min=low, max=high, step=1, value=value, disabled=disabled),
        className="slider",
        **{"data-slider": name, "data-stops": stops},
    )


def _panel(name: str) -> Any:
    panel = PANELS[name]
    sides = [
        html.Figure(
            [html.Figcaption(className="gpu"), html.Div(className="plot", **{"data-plot": f"{name}-{side}"})],
            hidden=side > 0,
        )
        for side in range(SIDES)
    ]
    return html.Section(
        [
            html.H2(panel.title),
            html.P(panel.caption, className="caption"),
            html.Div(className="legend-place"),
            html.Div(sides, className="sides"),
            html.Div(className="words"),
        ],
        className="panel",
        **{"data-panel": name, "aria-label": panel.title},
    )


def _sharing() -> Any:
    return html.Section(
        [
            html.H2("Keep and share"),
            html.P(
                [
                    html.Button("Copy link", type="button", id="copy-link", **{"data-copy": "link"}),
                    html.Button("Download page (HTML)", type="button", id="save-page"),
                    html.Button("Download rows (CSV)", type="button", id="save-csv"),
                    html.Span(id="copied", role="status"),
                ],
                className="buttons",
            ),
            html.P("The same in a terminal:", className="caption"),
            *[
                html.Div(
                    [
                        html.Pre(id=f"line-{name}", tabIndex=0),
                        html.Button("Copy", type="button", **{"data-copy": f"line-{name}"}),
                    ],
                    className="line",
                )
                for name in ("compare", "serve")
            ],
        ],
        className="sharing",
        **{"aria-label": "Keep and share"},
    )
