"""Fits the few constants of engines to served models, and scores each group with those fitted without it.

Of each engine what a step and a sequence cost on the host, and how many prompts are read together; of all
together how many are read before a request's own (`AHEAD`). Prints the best of each, to be entered by hand:
`engines/data/*.toml` and `simulation/serving/closed_form.py`. A grid, as there are few numbers; means over
groups, so that no group with many rows decides.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from infersim.engines.engine import Engine
from infersim.engines.reading import load_engine
from infersim.simulation.serving import closed_form
from served_tables import served_rows

STEPS_MS, SEQUENCES_US = (0.0, 0.3, 0.6, 1.0, 1.4), (0.0, 5.0, 10.0, 20.0, 30.0)
AHEAD, TOGETHER = (0.5, 1.0, 1.5, 2.0), (0.05, 0.075, 0.1, 0.3, 0.5, 0.7)
ENGINES = ("vllm", "tensorrt-llm", "sglang")

FITTED = ("TPOT", "tokens/s", "tokens/s, dense", "tokens/s, 2:4")
"""What the host's constants are fitted to; TTFT has those of queues."""

APART = ("prompts cached", "queued")
"""Groups that nothing is fitted to."""


def main() -> None:
    """Hosts first, then queues, then what is left of each group."""
    hosts: dict[tuple[float, ...], pd.DataFrame] = {
        point: _errors(served_rows({name: _with_host(name, *point) for name in ENGINES}))
        for point in product(STEPS_MS, SEQUENCES_US)
    }
    shipped = closed_form.AHEAD
    queues: dict[tuple[float, ...], pd.DataFrame] = {}
    for point in product(AHEAD, TOGETHER):
        closed_form.AHEAD = point[0]
        queues[point] = _errors(served_rows({name: _with_queue(name, point[1]) for name in ENGINES}))
    closed_form.AHEAD = shipped
    for name in ENGINES:
        step, sequence = _best(hosts, FITTED, engine=name)
        print(f"{name}: step_ms {step:g}, sequence_us {sequence:g}")
    print("AHEAD, together:", *_best(queues, ("TTFT",)))
    for name in ENGINES:
        print(f"{name}: together {_best(queues, ('TPOT', 'TTFT'), engine=name)[1]:g}")
    services = next(iter(hosts.values()))
    groups = services.loc[services["source"] == "services", "group"].unique()
    rows = [_held_out(group, hosts, queues) for group in groups if not set(APART) & set(group.split(", "))]
    print(pd.DataFrame(rows).round(3).to_string(index=False))


def _held_out(
    group: str, hosts: dict[tuple[float, ...], pd.DataFrame], queues: dict[tuple[float, ...], pd.DataFrame]
) -> dict[str, object]:
    """Errors of a group with constants that others chose; an engine without another takes those of all."""
    engine = group.split(", ")[1]
    others = next(iter(hosts.values()))
    of_engine = others[others["group"].str.contains(f", {engine}, ") & (others["group"] != group)]
    host = _best(hosts, FITTED, engine=engine if len(of_engine) else "", without=group)
    queue = _best(queues, ("TTFT",), without=group)
    return {
        "group": group,
        "TPOT": _of(hosts[host], group, "TPOT", "mean"),
        "TTFT, median": _of(queues[queue], group, "TTFT", "median"),
        "step_ms": host[0],
        "sequence_us": host[1],
        "AHEAD": queue[0],
        "TOGETHER": queue[1],
    }


def _with_queue(name: str, together: float) -> Engine:
    engine = load_engine(name)
    scheduler = engine.scheduler.model_copy(update={"together": together})
    return engine.model_copy(update={"scheduler": scheduler})


def _with_host(name: str, step_ms: float, sequence_us: float) -> Engine:
    engine = load_engine(name)
    host = engine.host.model_copy(
        update={"step_ms": step_ms, "newer_step_ms": step_ms, "sequence_us": sequence_us}
    )
    return engine.model_copy(update={"host": host})


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and median error of each group and quantity."""
    error = (rows["predicted"] / rows["measured"]).map(np.log).abs()
    found = error.groupby([rows["source"], rows["group"], rows["quantity"]]).agg(["mean", "median"])
    return found.reset_index()


def _best(
    points: dict[tuple[float, ...], pd.DataFrame],
    quantities: tuple[str, ...],
    *,
    engine: str = "",
    without: str = "",
) -> tuple[float, ...]:
    """The point with the least error, each source counting alike and in it each group."""

    def loss(frame: pd.DataFrame) -> float:
        some = frame[frame["quantity"].isin(quantities) & ~frame["group"].str.contains("|".join(APART))]
        some = some[some["group"].str.contains(f", {engine}") & (some["group"] != without)]
        return float(some.groupby("source")["mean"].mean().mean())

    return min(points, key=lambda point: loss(points[point]))


def _of(frame: pd.DataFrame, group: str, quantity: str, figure: str) -> float:
    rows = frame[(frame["group"] == group) & (frame["quantity"] == quantity)]
    return float(rows[figure].iloc[0])


if __name__ == "__main__":
    main()
