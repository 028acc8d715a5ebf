"""The page of a searched plan: the verdict, layers drawn as bars, the trade-off, and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infersim.domain.arguments import checked, optional
from infersim.files.frames import a_frame
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import setting_text
from infersim.report.figures.palette import BLUE, INK, NEUTRAL, ORANGE, faded, family_look
from infersim.report.figures.style import dense_line, finish, plain
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page
from infersim.report.search.tables import search_tables
from infersim.report.search.verdict import search_verdict
from infersim.simulation.search.searching import SearchResult
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.settings.served import InService

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

GLOSSARY = glossary("predicted", "80 % interval", "memory-bound")
_ROW, _AXIS = 15, 90


def search_page(found: SearchResult) -> Page:
    """The page's content."""
    row: Any = found.answer.iloc[0]
    charts = [_layer_chart(found)]
    if len(found.curve):
        charts.append(_curve_chart(found))
    return Page(
        title=f"A plan layer by layer: {row['model']} on {row['gpu']}",
        setting=_setting(found.setting),
        verdict=search_verdict(found),
        views=(View(label="all", charts=tuple(charts)),),
        tables=search_tables(found),
        glossary=GLOSSARY,
    )


def _setting(setting: InScenarios | InService) -> str:
    if isinstance(setting, InService):
        service, lengths = setting.service, setting.service.lengths[0]
        concurrency = int(setting.dense.load.concurrency[0, 0])
        return (
            f"{service.engine.title}, prompts of {lengths.prompt:g} tokens, answers of {lengths.output:g}, "
            f"{concurrency} requests at once"
        )
    execution = setting.cases[0].passes[0].scenario.execution
    scenarios = [
        f"{case.phase}, batch {batch}, context {context}"
        for case in setting.cases
        for batch, context in case.scenarios
    ]
    return f"{setting_text(execution, transformer=setting.model)}; {'; '.join(scenarios[:4])}"


def _layer_chart(found: SearchResult) -> Chart:
    return Chart(
        name="layers",
        title="What became of each layer",
        caption="Each bar is a layer: the time that its attention and its FFN take, as a share of what all "
        "sublayers of the dense model take. Grey behind it is the dense layer.",
        panels=(Panel(title="Layers", figure=layer_bars(found.layers), data=found.layers),),
        wide=True,
    )


@checked(
    layers=a_frame(
        numbers=("layer", "attention_time", "attention_dense", "ffn_time", "ffn_dense"),
        others=("attention", "ffn"),
        source="layers of what search returned",
    )
)
def layer_bars(layers: pd.DataFrame) -> go.Figure:
    """`layers` of what `search` returned: one bar for each, attention first, the dense layer's behind it.

    Parameters
    ----------
    layers
        `layers` of what `search` returned.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a frame without the columns, or with texts in the place of numbers.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> times = {"attention_time": 0.2, "attention_dense": 0.4, "ffn_time": 0.3, "ffn_dense": 0.6}
    >>> layers = pd.DataFrame({"layer": [0, 1], "attention": "heads=16", "ffn": "width=50%", **times})
    >>> [bar.name for bar in sim.layer_bars(layers).data]
    ['dense', 'attention', 'FFN']
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [str(layer) for layer in layers["layer"]]
    series = (("attention", "attention", BLUE), ("FFN", "ffn", ORANGE))
    dense = sum(100 * layers[f"{column}_dense"].to_numpy() for _, column, _ in series)
    figure.add_bar(
        x=dense,
        y=names,
        orientation="h",
        name="dense",
        legendgroup="dense",
        marker={"color": faded(NEUTRAL), "line": {"width": 0}},
        hoverinfo="skip",
        width=0.9,
        base=0,
        offset=-0.45,
    )
    base = 0.0 * dense
    for title, column, colour in series:
        times = 100 * layers[f"{column}_time"].to_numpy()
        figure.add_bar(
            x=times,
            y=names,
            base=base,
            offset=-0.3,
            width=0.6,
            orientation="h",
            name=title,
            legendgroup=title,
            customdata=[[plain(choice)] for choice in layers[column]],
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"layer %{{y}}, {title}: %{{customdata[0]}}<br>%{{x:.2f}} %<extra></extra>",
        )
        base = base + times
    return finish(
        figure,
        height=_AXIS + _ROW * len(names),
        x="share of the dense model's sublayers (%)",
        y="layer (from 0)",
        yaxis={"autorange": "reversed", "type": "category", "dtick": max(1, len(names) // 20)},
        barmode="overlay",
    )


def _curve_chart(found: SearchResult) -> Chart:
    uniform = found.uniform if len(found.uniform) else None
    return Chart(
        name="trade-off",
        title="Speed gained over importance lost",
        caption="The line: plans of least loss, layer by layer, with 80 % intervals. Points: the best "
        "uniform plans of each family. Up and to the left is better.",
        panels=(Panel(title="Trade-off", figure=trade_off(found.curve, uniform), data=found.curve),),
        wide=True,
    )


_POINTS = ("loss", "predicted", "predicted_lower", "predicted_upper")


@checked(
    curve=a_frame(numbers=_POINTS, others=("answer",), source="curve of what search returned"),
    uniform=optional(
        a_frame(numbers=_POINTS, others=("family", "plan"), source="uniform of what search returned")
    ),
)
def trade_off(curve: pd.DataFrame, uniform: pd.DataFrame | None = None) -> go.Figure:
    """`curve` (and `uniform` plans) of what `search` returned: speedup over loss; the answer is marked.

    Parameters
    ----------
    curve
        `curve` of what `search` returned.
    uniform
        Its `uniform` plans. Left out: the curve alone.

    Returns
    -------
    Figure
        Of plotly.

    Raises
    ------
    InvalidValueError
        For a frame without the columns, or with texts in the place of numbers.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> speedups = {"predicted": [1.0, 1.4], "predicted_lower": [1.0, 1.3], "predicted_upper": [1.0, 1.5]}
    >>> curve = pd.DataFrame({"loss": [0.0, 0.2], **speedups, "answer": [False, True]})
    >>> [trace.name for trace in sim.trade_off(curve).data]
    ['layer by layer', 'the plan']
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    below = curve["predicted"] - curve["predicted_lower"]
    figure.add_scatter(
        x=curve["loss"],
        y=curve["predicted"],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": curve["predicted_upper"] - curve["predicted"],
            "arrayminus": below,
            "color": INK,
            "thickness": 1,
        },
        name="layer by layer",
        legendgroup="layer by layer",
        mode="lines+markers",
        line={"color": INK, "width": 2},
        marker={"color": INK, "size": 6},
        hovertemplate="loss %{x:.4g}<br>%{y:.2f}x<extra>layer by layer</extra>",
    )
    answer = curve[curve["answer"]]
    figure.add_scatter(
        x=answer["loss"],
        y=answer["predicted"],
        name="the plan",
        legendgroup="the plan",
        mode="markers",
        marker={"color": INK, "size": 14, "symbol": "circle-open", "line": {"width": 2}},
        hovertemplate="loss %{x:.4g}<br>%{y:.2f}x<extra>the plan</extra>",
    )
    for family, rows in () if uniform is None else uniform.groupby("family", sort=False):
        look = family_look(str(family))
        symbol = "x" if look.colour == INK else look.marker  # of no family: not the curve's circle
        figure.add_scatter(
            x=rows["loss"],
            y=rows["predicted"],
            customdata=[[plain(plan)] for plan in rows["plan"]],
            name=plain(str(family)),
            legendgroup=str(family),
            mode="markers",
            marker={"color": look.colour, "symbol": symbol, "size": 9},
            hovertemplate="%{customdata[0]}<br>loss %{x:.4g}, %{y:.2f}x<extra>uniform</extra>",
        )
    top = float(max(answer["predicted"].max() * 2.2, 2.0))
    shown = curve.loc[curve["predicted"] <= top, "loss"]
    right = float(max([shown.max(), *([] if uniform is None else uniform["loss"])]) * 1.05)
    return finish(
        figure,
        height=440,
        x="loss (in the unit of its source)",
        xaxis={"range": [-0.02 * right, right]} if right > 0 else {},
        y="predicted speedup (x)",
        yaxis={"range": [0.8, min(top, float(curve["predicted_upper"].max()) * 1.05)]},
        shapes=[dense_line()],
    )
