"""`search`: the plan that loses least importance and meets its targets, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infersim.domain.arguments import a_path, as_it_is, checked, either, flag, optional, text
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import count, number
from infersim.domain.profile import HardwareProfile
from infersim.engines.reading import an_engine
from infersim.files.writing import write_whole
from infersim.profile_files.profiles import kernels_named
from infersim.pruning.plan import Plan
from infersim.simulation.search.answers import (
    about,
    answer_frame,
    goal_frame,
    layer_frame,
    notes,
    nothing,
)
from infersim.simulation.search.curve import curve_frame, uniform_frame
from infersim.simulation.search.importance.losses import Importance
from infersim.simulation.search.problem import Problem, problem_of
from infersim.simulation.search.reach import out_of_reach
from infersim.simulation.search.settings.asking import setting_of
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.settings.served import InService
from infersim.simulation.search.settings.targets import Targets
from infersim.simulation.search.solving import Solver, search_for
from infersim.simulation.search.spaces.limits import Limits, runnable_by
from infersim.simulation.search.spaces.plan_text import plan_text
from infersim.simulation.search.spaces.space import Texts, checked_texts
from infersim.simulation.speedups.resolving import Gpu, Model, a_model, a_profile

if TYPE_CHECKING:
    import pandas as pd

    from infersim.engines.engine import Engine

GAP = 1e-3
SECONDS = 60.0
POINTS = 12
"""Points of the curve."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """The plan and what is said of it.

    - `plan`, and `plan_text`, its file, which `compare --plan` reads; `write_plan` writes it.
    - `answer`: one row: `model gpu calibration importance measured loss predicted predicted_lower
      predicted_upper` (speedup by a full prediction), the numbers of the setting, `params_removed sure gap
      timed_out rounds runs runs_needs`.
    - `goals`: a row for each target: `target where limit value kept met`; `kept` is what holds as surely as
      was asked for.
    - `layers`: a row for each layer: `layer attention ffn loss share` (of the plan's time), and the times of
      its sublayers, in the plan and dense, over those of all dense ones (`attention_time attention_dense
      ffn_time ffn_dense`).
    - `uniform`: the best uniform plan of each family, at the same loss and at the same time.
    - `curve`: the whole trade-off, and `answer` marks the plan.
    """

    plan: Plan
    plan_text: str
    answer: pd.DataFrame
    goals: pd.DataFrame
    layers: pd.DataFrame
    uniform: pd.DataFrame
    curve: pd.DataFrame
    setting: InScenarios | InService
    notes: tuple[str, ...]

    def write_plan(self, path: str | Path) -> None:
        """Write the plan file; raises InvalidValueError for a place that cannot be written."""
        write_whole(path, self.plan_text, "plan file")


@checked(
    model=a_model,
    gpu=a_profile,
    importance=either(Importance, a_path),
    choices=as_it_is,
    target_speedup=as_it_is,
    target_latency_ms=as_it_is,
    target_tpot_ms=as_it_is,
    target_ttft_ms=as_it_is,
    target_memory_gib=as_it_is,
    target_price_per_million=as_it_is,
    sure=as_it_is,
    multiple=count(2**16),
    tensor_parallel=count(1024),
    group=count(2**16, low=0),
    shapes=optional(count(2**16)),
    keep=as_it_is,
    runs_on=optional(an_engine),
    metric=optional(text),
    gap=number("a relative gap above 0 and below 1", above=0.0, high=0.999),
    time_limit=number("seconds above 0, at most a day", above=0.0, high=86_400.0),
    points=count(1000, low=0),
    uniform=flag,
    kernels=kernels_named,
    options=as_it_is,
)
def search(
    model: Model,
    gpu: Gpu,
    importance: Importance | str | Path,
    *,
    choices: Texts | None = None,
    target_speedup: float | None = None,
    target_latency_ms: float | None = None,
    target_tpot_ms: float | None = None,
    target_ttft_ms: float | None = None,
    target_memory_gib: float | None = None,
    target_price_per_million: float | None = None,
    sure: float = 0.5,
    multiple: int = 1,
    tensor_parallel: int = 1,
    group: int = 0,
    shapes: int | None = None,
    keep: Sequence[int] = (),
    runs_on: str | Path | Engine | None = None,
    metric: str | None = None,
    gap: float = GAP,
    time_limit: float = SECONDS,
    points: int = POINTS,
    uniform: bool = True,
    kernels: str | None = None,
    **options: Any,
) -> SearchResult:
    """The plan of least loss that meets all targets, by mixed-integer programming over `latency_table`.

    Each target is met as a full prediction meets it. Losses add over layers.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    importance
        A CSV or Parquet file (`layer sublayer choice loss`), Puzzletron's
        `replacement_metrics_and_stats.json` or its folder of `solution_*.json`, or a stated rule, `uniform`
        or `depth`, which nobody measured.
    choices
        As in `latency_table`. Left out: those of the file, or the default ones without formats.
    target_speedup
        Of each scenario; of a service, tokens per second at the same concurrency.
    target_latency_ms, target_memory_gib
        Of each scenario.
    target_tpot_ms, target_ttft_ms
        Of decode, and of prefill.
    target_price_per_million
        Of a service with `price_per_hour`.
    sure
        Each target is met with this probability by the prediction's interval (0.5: by its middle).
    multiple
        What widths are multiples of.
    tensor_parallel
        GPUs that divide heads and widths.
    group
        Consecutive layers that are equal.
    shapes
        The most distinct shapes of each kind of sublayer.
    keep
        Layers to leave as they are.
    runs_on
        An engine: what a released version of it runs.
    metric
        Which of Puzzletron's losses.
    gap, time_limit
        Of the solver: the best plan so far comes with the gap that is left.
    points
        Of the trade-off curve.
    uniform
        Whether uniform plans are compared.
    kernels
        The engine whose kernels are predicted, as in `load_profile`.
    **options
        As in `latency_table`.

    Returns
    -------
    SearchResult
        The plan, its file, what it meets and costs, and the trade-off.

    Raises
    ------
    InvalidValueError
        For targets beyond reach, with the best that exists and what binds.
    FileContentError
        For losses that are missing or no numbers.

    References
    ----------
    .. [1] A. Bercovich et al., "Puzzle: distillation-based NAS for inference-optimized LLMs",
       arXiv:2411.19146: one choice for each sublayer, by mixed-integer programming.

    Examples
    --------
    >>> import infersim as sim
    >>> limits = {"target_speedup": 1.1, "choices": {"ffn": "width=50%"}, "points": 0, "uniform": False}
    >>> found = sim.search("llama-3.2-1b", "h100-sxm", "depth", **limits, phase="decode", context=1024)
    >>> bool(found.answer["predicted"].iloc[0] >= 1.1)
    True
    """
    targets = Targets.of(
        speedup=target_speedup,
        latency_ms=target_latency_ms,
        tpot_ms=target_tpot_ms,
        ttft_ms=target_ttft_ms,
        memory_gib=target_memory_gib,
        price_per_million=target_price_per_million,
        sure=sure,
    )
    engine: Any = runs_on
    limits = Limits(
        multiple=multiple,
        tensor_parallel=tensor_parallel,
        group=group,
        shapes=shapes,
        keep=_layers(keep),
    )
    if engine is not None:
        limits = runnable_by(limits, engine)
    profile: HardwareProfile = gpu  # type: ignore[assignment]
    setting = setting_of(model, profile.with_kernels(kernels), options)  # type: ignore[arg-type]
    limits.check_layers(len(setting.model.blocks))
    problem = problem_of(
        setting.model,
        setting,
        importance,
        texts=checked_texts(choices),
        targets=targets,
        limits=limits,
        metric=metric,
    )
    return solved(problem, gap=gap, seconds=time_limit, points=points, uniform=uniform, engine=engine)


def _layers(value: object) -> tuple[int, ...]:
    several = isinstance(value, list | tuple | range) or (isinstance(value, np.ndarray) and value.ndim == 1)
    listed: list[Any] = list(value) if several else [value]  # type: ignore[call-overload]
    found = []
    for each in listed:
        whole = isinstance(each, int | np.integer) and not isinstance(each, bool)
        if not whole or abs(int(each)) > 2**20:
            raise InvalidValueError("keep", value, "layers, numbered from 0, or from the end below 0")
        found.append(int(each))
    return tuple(found)


def solved(
    problem: Problem,
    *,
    gap: float = GAP,
    seconds: float = SECONDS,
    points: int = POINTS,
    uniform: bool = True,
    engine: Engine | None = None,
) -> SearchResult:
    """Solve a problem; errors as in `search`."""
    solver = Solver(problem, seconds, gap)
    answer, state = search_for(solver)
    if answer is None:
        raise out_of_reach(solver, state)
    text_of_plan = plan_text(
        problem.space, answer.places, answer.plan.name or "dense", about(problem, answer)
    )
    return SearchResult(
        plan=answer.plan,
        plan_text=text_of_plan,
        answer=answer_frame(problem, answer, engine),
        goals=goal_frame(problem, answer),
        layers=layer_frame(solver, answer),
        uniform=uniform_frame(solver, answer) if uniform else nothing(),
        curve=curve_frame(solver, points, answer) if points else nothing(),
        setting=problem.setting,
        notes=tuple(notes(problem, answer)),
    )
