"""The widest dimension that costs no more time than the one asked for: what alignment gives away for free."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.pruning.composition import prune
from infersim.pruning.families.family import a_sparsity
from infersim.pruning.families.static_nk import STATIC_NK
from infersim.pruning.families.static_nk_cross import STATIC_NK_CROSS
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups.case_timings import CaseTimings, case_timings
from infersim.simulation.speedups.columns import MS
from infersim.simulation.speedups.resolving import Gpu, Model, a_model, as_profiles, as_transformer, profiles
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios
from infersim.simulation.speedups.sharing import check_shared
from infersim.workload.transformer import FeedForward, Transformer

if TYPE_CHECKING:
    import pandas as pd

ALIGN = 64
"""Widths worth having: one 64-deep step of K, half an N tile."""

REACH = 8
"""How many aligned widths above the one asked for are looked at."""

FREE = 1e-3
"""A longer time of less than 0.1 % is none."""


@checked(
    model=a_model,
    gpu=profiles,
    sparsity=a_sparsity,
    scenarios=optional(some_scenarios),
    options=as_it_is,
)
@marks(FrameKind.FREE_WIDTHS)
def free_widths(
    model: Model,
    gpu: Gpu | Sequence[Gpu],
    sparsity: float,
    *,
    scenarios: Scenarios | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """One row for each scenario and dimension: the FFN width, and the hidden size cut across blocks.

    `asked` is the exact width of `sparsity`, rounded to what all GPUs that share it divide; `free` the widest
    multiple of 64, of the eight from there on, that is predicted to take no longer (`asked` itself where none
    is); `nearest` the first of them with its `nearest_cost`, the part of the latency that it adds, and `kept`
    the part of the dimension that `free` gives back. A dimension that leaves no aligned width below the dense
    one has no row.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    sparsity
        A fraction of the dimension.
    scenarios
        A ready record of the options.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        One row for each scenario and dimension.

    Raises
    ------
    InvalidValueError
        For a sparsity that cannot be.
    UnknownNameError, UnsupportedError
        For a GPU or data type that is not known, or not there.

    Examples
    --------
    >>> import infersim as sim
    >>> frame = sim.free_widths("llama-3.1-8b", "h100-sxm", 0.3, phase="prefill", context=1024)
    >>> frame["asked"].tolist()
    [10035, 2867]
    """
    import pandas as pd

    base = as_transformer(model)
    asked = Scenarios.of(scenarios, **options)
    check_shared(base, asked.executions())
    align = math.lcm(*asked.gpus)
    dimensions = [each for each in _dimensions(base, sparsity, align) if each.wider]
    plans = [plan for each in dimensions for plan in (each.exact, *each.wider.values())]
    timings = list(case_timings(base, plans, as_profiles(gpu), asked.cases()))
    return pd.DataFrame([row for each in dimensions for timed in timings for row in _rows(each, timed)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dimension:
    """A dimension of the model: full width, the plan of the exact one, and plans of wider, aligned ones."""

    name: str
    full: int
    asked: int
    exact: Plan
    wider: Mapping[int, Plan]


def _rows(dimension: _Dimension, timed: CaseTimings) -> Iterator[dict[str, object]]:
    """What a dimension's widths take, in each scenario of a case on one GPU."""
    asked = dimension.asked
    exact_s = timed.of(dimension.exact).latency_s.ravel()
    costs = {width: timed.of(plan).latency_s.ravel() / exact_s - 1 for width, plan in dimension.wider.items()}
    for place, (batch, context) in enumerate(timed.case.scenarios):
        free = max((width for width, cost in costs.items() if cost[place] <= FREE), default=asked)
        nearest = min(costs)
        yield {
            "model": dimension.exact.base.name,
            "gpu": timed.profile.name,
            "gpus": timed.case.gpus,
            "phase": timed.case.phase,
            "batch": batch,
            "context": context,
            "dimension": dimension.name,
            "full": dimension.full,
            "asked": asked,
            "free": max(free, asked),
            "kept": (max(free, asked) - asked) / dimension.full,
            "nearest": nearest,
            "nearest_cost": costs[nearest][place],
            "latency_ms": exact_s[place] * MS,
        }


def _dimensions(base: Transformer, sparsity: float, align: int) -> Iterator[_Dimension]:
    widths = {block.ffn.width for block in base.blocks if isinstance(block.ffn, FeedForward)}
    if len(widths) == 1:
        (width,) = widths
        yield _dimension("FFN width", base, STATIC_NK.name, width, sparsity, align, target="ffn")
    yield _dimension("hidden size", base, STATIC_NK_CROSS.name, base.hidden, sparsity, align)


def _dimension(
    name: str, base: Transformer, family: str, full: int, sparsity: float, align: int, **options: str
) -> _Dimension:
    """`align` is what all widths are multiples of."""
    asked = max(align, round((1 - sparsity) * full / align) * align)
    step = math.lcm(ALIGN, align)
    first = -(-asked // step) * step
    wider = {
        width: prune(base, family, 1 - width / full, align=align, **options)
        for width in range(first, min(first + REACH * step, full), step)
    }
    exact = prune(base, family, sparsity, align=align, **options)
    return _Dimension(name=name, full=full, asked=asked, exact=exact, wider=wider)
