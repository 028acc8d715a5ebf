"""The server of the page: Dash on 127.0.0.1, its callbacks, and what a browser may load."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from threading import Lock
from typing import Any

from dash import Dash, Input, Output, State, dcc, no_update
from flask import Response, abort, request

from infersim.app.answers import comparison, profiles_of, pruned, scenarios_of
from infersim.app.choices import STOPS, WORDS, Choices, slider_id, switch_id
from infersim.app.command_lines import compare_line, serve_line
from infersim.app.layout import model_options, page
from infersim.app.models import OWN, packed_upload
from infersim.app.panels import PANELS, drawn, verdict
from infersim.domain.errors import InfersimError
from infersim.pruning.families.registry import families
from infersim.report.figures.palette import DARK, INK, css_name, palette_css
from infersim.report.html.elements import csv_text
from infersim.report.html.legend import legend_entries, legend_html
from infersim.report.html.page import render_page
from infersim.report.html.plotly_js import plotly_file, quick_to_start
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import gather_comparison

HOST = "127.0.0.1"

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
"""What the browser may load: nothing from elsewhere."""

_NAMES = {HOST, "localhost"}
"""What the page may be called by: a name of others that leads here is refused."""

_CONTROLS = (
    *(name for name in WORDS if name not in ("config", "config_name")),
    *STOPS,
    *(switch_id(family) for family in families()),
    *(slider_id(family) for family in families()),
)

_ONE_AT_A_TIME = Lock()
"""Answers share what is kept; two at once would compute it twice."""


def make_app() -> Dash:
    """The page, ready to be served."""
    app = Dash(
        "infersim.app",
        title="infersim",
        update_title="",
        assets_folder=str(files("infersim.app").joinpath("assets")),
        serve_locally=True,
    )
    app.index_string = _index()
    app.layout = page()
    _guard(app.server)
    _add_callbacks(app)
    return app


def _index() -> str:
    colours = json.dumps({colour: css_name(colour) for colour in (*DARK, INK)})
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n{%metas%}\n'
        '<title>{%title%}</title>\n<link rel="icon" href="data:,">\n'
        '<link rel="stylesheet" href="/look.css">\n{%css%}\n'
        '<script src="/plotly.js" defer></script>\n</head>\n<body>\n{%app_entry%}\n'
        f'<script type="application/json" id="colours">{colours}</script>\n'
        "<footer>{%config%}{%scripts%}{%renderer%}</footer>\n</body>\n</html>"
    )


def _guard(server: Any) -> None:
    """Serve the look, plotly.js and answers; refuse requests under other names, and loads from elsewhere."""
    look = files("infersim.report").joinpath("assets", "page.css").read_text(encoding="utf-8")
    plotly: list[str] = []

    @server.before_request  # type: ignore[untyped-decorator]
    def refuse_others() -> None:
        if request.host.rpartition(":")[0] not in _NAMES and request.host not in _NAMES:
            abort(403)

    @server.after_request  # type: ignore[untyped-decorator]
    def forbid_others(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @server.route("/look.css")  # type: ignore[untyped-decorator]
    def look_css() -> Response:
        return Response(f"{palette_css()}\n{look}", mimetype="text/css")

    @server.route("/plotly.js")  # type: ignore[untyped-decorator]
    def plotly_js() -> Response:
        if not plotly:
            plotly.append(quick_to_start(plotly_file().read_text(encoding="utf-8")))
        return Response(plotly[0], mimetype="text/javascript")

    @server.route("/answer", methods=["POST"])  # type: ignore[untyped-decorator]
    def respond() -> Response:
        """Past Dash, which would take as long as what is computed."""
        asked = request.get_json()  # a page from elsewhere cannot send JSON here
        return Response(json.dumps(answer(asked)), mimetype="application/json")


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of `asked` (its controls' values, and the panels in view); errors as a sentence."""
    found: dict[str, Any] = {"serial": asked.get("serial")}
    try:
        choices = Choices.from_controls(asked["controls"])
        with _ONE_AT_A_TIME:
            words = verdict(choices)
            panels = {name: _drawn(choices, name) for name in asked["panels"] if name in PANELS}
    except InfersimError as error:
        return found | {"problem": str(error)}
    return found | {
        "verdict": words,
        "panels": panels,
        "gpus": [profile.title for profile in profiles_of(choices)],
        "query": choices.query(),
        "lines": {"compare": compare_line(choices), "serve": serve_line(choices)},
    }


def _drawn(choices: Choices, name: str) -> dict[str, Any]:
    """A panel as JSON; what it cannot show (nothing fits) it says itself."""
    try:
        shown = drawn(choices, (name,))[name]
    except InfersimError as error:
        return {"figures": [], "legend": "", "words": "", "problem": str(error)}
    return {
        "figures": [figure.to_json() for figure in shown.figures],
        "legend": legend_html(legend_entries(shown.figures)),
        "words": shown.words,
    }


def saved_csv(choices: Choices) -> str:
    """The rows that `infersim compare --csv` prints."""
    return csv_text(comparison(choices).frame)


def saved_page(choices: Choices) -> str:
    """The page that `infersim compare --html` writes."""
    found = pruned(choices)
    report = gather_comparison(
        found.model,
        found.plans,
        profiles_of(choices),
        scenarios=scenarios_of(choices),
        left_out=found.left_out,
    )
    return render_page(compare_page(report))


def _download(asked: dict[str, Any], text: Callable[[Choices], str], name: str) -> Any:
    """A file of the choices; none where the page says already why there is no answer."""
    try:
        choices = Choices.from_controls(asked["controls"])
        with _ONE_AT_A_TIME:
            return dcc.send_string(text(choices), name)
    except InfersimError:
        return no_update


def _add_callbacks(app: Dash) -> None:
    controls = [Output(name, "value") for name in _CONTROLS]

    @app.callback(  # type: ignore[untyped-decorator]
        *controls, Output("config", "data"), Output("model", "options"), Output("notice", "data"),
        Input("url", "search"),
    )  # fmt: skip
    def read_address(search: str | None) -> list[Any]:
        """Set every control as the address says; what is no address of the page leaves them as they are."""
        problem = ""
        try:
            choices = Choices.from_query(search or "")
        except InfersimError as error:
            choices, problem = Choices(), f"The address is not one of this page: {error}"
        values = choices.controls()
        config = {"config": choices.config, "config_name": choices.config_name}
        own = choices.config_name or "config.json" if choices.model == OWN else ""
        return [*(values[name] for name in _CONTROLS), config, model_options(own), problem]

    @app.callback(  # type: ignore[untyped-decorator]
        Output("config", "data", allow_duplicate=True),
        Output("model", "options", allow_duplicate=True),
        Output("model", "value", allow_duplicate=True),
        Output("notice", "data", allow_duplicate=True),
        Input("drop", "contents"),
        State("drop", "filename"),
        prevent_initial_call=True,
    )
    def take_config(contents: str | None, name: str | None) -> Any:
        if not contents:
            return no_update, no_update, no_update, no_update
        file = name or "config.json"
        try:
            packed = packed_upload(contents, file)
        except InfersimError as error:
            return no_update, no_update, no_update, str(error)
        return {"config": packed, "config_name": file}, model_options(file), OWN, ""

    app.clientside_callback(
        "dash_clientside.infersim.gather",
        Output("asked", "data"),
        *[Input(name, "value") for name in _CONTROLS],
        Input("config", "data"),
        Input("notice", "data"),
    )

    @app.callback(  # type: ignore[untyped-decorator]
        Output("file", "data"),
        Input("save-csv", "n_clicks"),
        State("asked", "data"),
        prevent_initial_call=True,
    )
    def save_csv(_: int, asked: dict[str, Any]) -> Any:
        return _download(asked, saved_csv, "infersim.csv")

    @app.callback(  # type: ignore[untyped-decorator]
        Output("file", "data", allow_duplicate=True),
        Input("save-page", "n_clicks"),
        State("asked", "data"),
        prevent_initial_call=True,
    )
    def save_page(_: int, asked: dict[str, Any]) -> Any:
        return _download(asked, saved_page, "infersim.html")
