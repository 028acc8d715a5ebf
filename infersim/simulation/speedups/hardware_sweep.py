"""`compare` along one number of a datasheet: what pruning is worth as hardware changes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Unpack

import numpy as np

from infersim.domain.arguments import as_it_is, checked, one_or_several, optional, text
from infersim.domain.errors import InvalidValueError
from infersim.domain.numbers import number
from infersim.profile_files.overrides import number_of, with_overrides
from infersim.profile_files.ranges import ImplausibleValueWarning
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups import resolving
from infersim.simulation.speedups.columns import with_joined_notes
from infersim.simulation.speedups.comparison import Measured, measured_index, streamed_comparison
from infersim.simulation.speedups.measured_columns import MeasuredIndex
from infersim.simulation.speedups.resolving import (
    Gpu,
    Model,
    a_model,
    a_profile,
    as_plans,
    as_profile,
    as_transformer,
    measured_speedups,
)
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios

if TYPE_CHECKING:
    import pandas as pd

SAME_SPEEDUP = 0.005
"""Plans whose speedups are nearer than this, as a fraction, are not told apart."""

MOST_VALUES = 200
"""More points than a figure can show apart."""


@checked(
    model=a_model,
    plans=resolving.plans,
    gpu=a_profile,
    key=text,
    values=one_or_several(number("a number above 0", above=0.0), at_least=0),
    measured=measured_speedups,
    scenarios=optional(some_scenarios),
    options=as_it_is,
)
def compare_along(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu,
    key: str,
    values: Sequence[float],
    *,
    measured: Measured | None = None,
    scenarios: Scenarios | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """A frame of `compare` for each of `values` of the number `key`, and for the datasheet's own value.

    `key` and its unit are those of profile files (`memory.bandwidth_gb_s`). Columns before those of
    `compare`: `key`, `value` and `own`, whether that is the datasheet's. Rows are sorted by `value`; the GPU
    keeps its name in all of them.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    plans
        What `prune` made of that model, one or several.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    key
        A number of profile files, such as `memory.bandwidth_gb_s`.
    values
        In the unit of profile files.
    measured
        As in `compare`.
    scenarios
        A ready record of the options.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        Rows of `compare` for each value.

    Raises
    ------
    InvalidValueError
        For no values, too many, or some that are no positive numbers.
    UnknownNameError
        For a key that is none.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("llama-3.1-8b", "static-m", sparsity=0.5)
    >>> options = {"key": "memory.bandwidth_gb_s", "values": [2000, 5000], "phase": "decode", "context": 1024}
    >>> sim.compare_along("llama-3.1-8b", plan, "h100-sxm", **options)["value"].tolist()
    [2000.0, 3350.0, 5000.0]
    """
    record = Scenarios.of(scenarios, **options)
    return with_joined_notes(compared_along(model, plans, gpu, key, values, record, measured_index(measured)))


@marks(FrameKind.COMPARE_ALONG)
def compared_along(
    model: Model,
    plans: Plan | Sequence[Plan],
    gpu: Gpu,
    key: str,
    values: Sequence[float],
    scenarios: Scenarios,
    index: MeasuredIndex,
) -> pd.DataFrame:
    """`compare_along`, with the notes of a row as a tuple of texts."""
    profile = as_profile(gpu)
    own = number_of(profile, key)
    chosen = _checked(key, values, own)
    with _each_warning_once():
        swept = [
            profile if value == own else with_overrides(profile, {key: value})
            for value in sorted({*chosen, own})
        ]
    numbers = {changed.name: number_of(changed, key) for changed in swept}
    base = as_transformer(model)
    frame = streamed_comparison(base, as_plans(base, plans), swept, scenarios, index)
    value = frame["gpu"].map(numbers)
    frame = frame.assign(gpu=profile.name)
    frame.insert(0, "key", key)
    frame.insert(1, "value", value)
    frame.insert(2, "own", value == own)
    return frame


def even_steps(low: float, high: float, count: int) -> list[float]:
    """`count` values from `low` to `high` in even steps."""
    return [float(value) for value in np.linspace(low, high, count)]


def _checked(key: str, values: Sequence[float], own: float) -> list[float]:
    if not 1 <= len(values) <= MOST_VALUES:
        raise InvalidValueError(f"values of {key}", len(values), f"1 to {MOST_VALUES} of them")
    for value in values:
        if not (math.isfinite(value) and value > 0):
            raise InvalidValueError(key, value, "a number above 0")
    # SMs come whole.
    return [float(round(value)) if isinstance(own, int) else float(value) for value in values]


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Of warnings about one number of several GPUs the first, and others as they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    warned = set()
    for warning in caught:
        said = warning.message
        about = said.key if isinstance(said, ImplausibleValueWarning) else str(said)
        if about not in warned:
            warned.add(about)
            warnings.warn(warning.message, stacklevel=3)


def stretches(frame: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Which plan is the fastest along the number: (plan, first, last value), for rows of one scenario."""
    fitting = frame[frame["fits_memory"]].sort_values("predicted", ascending=False, kind="stable")
    best = fitting.drop_duplicates("value").sort_values("value")
    found: list[tuple[str, float, float]] = []
    for plan, value in zip(best["plan"], best["value"], strict=True):
        first = found.pop()[1] if found and found[-1][0] == plan else float(value)
        found.append((str(plan), first, float(value)))
    return found


def overtakings(frame: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    """Where the order of plans changes: (who overtakes, whom, between which two values), of one scenario.

    Plans that are equal to the printed digit are taken as they were before.
    """
    ordered = frame.sort_values("value")
    speedups = {str(plan): rows.set_index("value")["predicted"] for plan, rows in ordered.groupby("plan")}
    found = []
    for first, second in combinations(speedups, 2):
        ahead = speedups[first] / speedups[second] - 1
        told = ahead[ahead.abs() > SAME_SPEEDUP]
        for (low, before), (high, after) in pairwise(zip(told.index, told, strict=True)):
            if before * after < 0:
                faster, slower = (first, second) if after > 0 else (second, first)
                found.append((faster, slower, float(low), float(high)))
    return sorted(found, key=lambda each: each[2])
