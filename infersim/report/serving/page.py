"""The page of services: the verdict, throughput against TPOT, and what each plan buys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.glossary import glossary
from infersim.report.core.scenarios import gpu_text
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page
from infersim.report.serving.figure import curve_data, load_figure
from infersim.report.serving.tables import load_table, serve_table, served_title
from infersim.report.serving.verdict import load_verdict
from infersim.simulation.serving.under_load import UnderLoad, under_load_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

GLOSSARY = glossary("TTFT", "TPOT", "concurrency", "KV block", "faster x batch", "80 % interval")


def serving_page(found: Sequence[UnderLoad]) -> Page:
    """One view for each GPU."""
    import pandas as pd

    frames = [under_load_frame(each) for each in found]
    whole = pd.concat(frames, ignore_index=True)
    first = found[0].dense.answer
    gpus = [gpu_text(frame.iloc[0]) for frame in frames]
    tables = [table for frame in frames for table in (load_table(frame), serve_table(frame))]
    return Page(
        title=f"Served: {first.plan.base.name} on {', '.join(gpus)}",
        setting=served_title(whole),
        verdict=load_verdict(frames[0]),
        views=tuple(
            View(label=gpu, charts=(_chart(each, frame),))
            for gpu, each, frame in zip(gpus, found, frames, strict=True)
        ),
        tables=tuple(tables),
        glossary=GLOSSARY,
    )


def _chart(found: UnderLoad, frame: pd.DataFrame) -> Chart:
    most = frame.iloc[int(frame["most_tokens_per_s"].fillna(0).to_numpy().argmax())]
    return Chart(
        name="throughput",
        title="Throughput against time for each token",
        finding=f"{most['plan']} writes most: {rounding.quantity(most['most_tokens_per_s'])} tokens/s with "
        f"{most['most_concurrency']:.0f} requests at once.",
        caption="Each point is a number of requests at once, from one to the most that fits. Up and to the "
        "left is better; a line marks the target.",
        panels=(Panel(title="All plans", figure=load_figure(found), data=curve_data(found)),),
        wide=True,
    )
