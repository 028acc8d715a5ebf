"""The sparsity that each family needs for a speedup, or why no sparsity gives it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from infersim.domain.arguments import as_it_is, checked, one_or_several, optional, text
from infersim.domain.errors import InfersimError
from infersim.domain.numbers import number
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import family_named, suitable_families
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.speedups.case_timings import case_timings, with_plans
from infersim.simulation.speedups.comparison import comparison_frame, measured_index
from infersim.simulation.speedups.resolving import Gpu, Model, a_model, as_profiles, as_transformer, profiles
from infersim.simulation.speedups.scenarios import ScenarioOptions, Scenarios, some_scenarios
from infersim.simulation.speedups.sharing import check_shared, why_not_shared
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd

LADDER = tuple((np.arange(1, 16) / 16).tolist())
"""Sparsities that are tried first; nobody prunes more than the last."""

ROUNDS, STEPS = 2, 7
"""How often the gap below the first sparsity that is enough is cut, and into how many parts less one."""

MAX_TARGET = 100.0
"""No plan is so fast: a larger target is a slip, such as 150 for 1.5."""

_SCENARIO = ["model", "gpu", "gpus", "calibration", "phase", "batch", "context"]


@checked(
    model=a_model,
    gpu=profiles,
    target_speedup=number(
        f"a speedup above 1 and up to {MAX_TARGET:g}, such as 1.5", above=1.0, high=MAX_TARGET
    ),
    chosen=optional(one_or_several(text, at_least=0)),
    scenarios=optional(some_scenarios),
    options=as_it_is,
)
@marks(FrameKind.SPARSITY_FOR)
def sparsity_for(
    model: Model,
    gpu: Gpu | Sequence[Gpu],
    target_speedup: float,
    *,
    chosen: str | Sequence[str] | None = None,
    scenarios: Scenarios | None = None,
    **options: Unpack[ScenarioOptions],
) -> pd.DataFrame:
    """The least sparsity whose predicted speedup reaches the target, one row for each scenario and family.

    Columns: the scenario, `family target reached`; where reached,
    `plan sparsity sparsity_realised params_removed predicted predicted_lower predicted_upper fits_memory`, of
    what can be realised (whole layers, aligned widths); `highest` is the greatest predicted speedup of any
    sparsity up to 15/16 and `ceiling` the greatest that no implementation exceeds; `limit` is which of the
    two is in the way (`ceiling`, `prediction`; empty where reached). Families that cannot prune this model,
    and sparsities that leave what the GPUs do not share evenly, are left out.

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    target_speedup
        Above 1, such as 1.5.
    chosen
        Families. Left out: all that can prune the model.
    scenarios
        A ready record of scenarios, in place of options.
    **options
        See `ScenarioOptions`.

    Returns
    -------
    DataFrame
        One row for each scenario and family.

    Raises
    ------
    InvalidValueError
        For a target that is no speedup above 1.
    InfersimError
        What `compare` raises, and where no family can prune the model.

    Examples
    --------
    >>> import infersim as sim
    >>> found = sim.sparsity_for("llama-3.2-1b", "l4", 1.2, chosen="static-m", phase="decode", context=1024)
    >>> bool(found["predicted"].iloc[0] >= 1.2)
    True
    """
    import pandas as pd

    base = as_transformer(model)
    names = [family_named(name).name for name in chosen or ()]
    names = names or [family.name for family in suitable_families(base)]
    asked, profiles = Scenarios.of(scenarios, **options), as_profiles(gpu)
    check_shared(base, asked.executions())
    plans = _plans(base, dict.fromkeys(names, LADDER), asked)
    if not plans:
        raise InfersimError(f"no family of {', '.join(names)} can prune {base.name}")
    index = measured_index(None)
    timings = tuple(
        case_timings(
            base, list(plans.values()), profiles, asked.cases(plans=len(plans) + 1, profiles=len(profiles))
        )
    )
    frame = comparison_frame(timings, index)
    for _ in range(ROUNDS):
        finer = {
            title: plan
            for title, plan in _plans(base, _gaps(frame, target_speedup), asked).items()
            if title not in plans
        }
        if not finer:
            break
        plans |= finer
        timings = tuple(with_plans(timings, list(finer.values())))
        frame = pd.concat([frame, comparison_frame(timings, index)], ignore_index=True)
    rows = [
        _answer(dict(zip(_SCENARIO, keys, strict=True)), name, tried, target_speedup)
        for keys, scenario in frame.groupby(_SCENARIO, sort=False)
        for name, tried in scenario.groupby("family", sort=False)
    ]
    return pd.DataFrame(rows)


def _plans(base: Transformer, wanted: Mapping[str, Sequence[float]], asked: Scenarios) -> dict[str, Plan]:
    """Plans by title: each family at each sparsity that it can have and the GPUs can share."""
    found: dict[str, Plan] = {}
    for name, sparsities in wanted.items():
        family = family_named(name)
        fixed = family.fixed_sparsity
        for sparsity in sparsities if fixed is None else (fixed,):
            try:
                plan = prune(base, name, sparsity)
            except InfersimError:
                continue  # a model without FFN, a sparsity that leaves nothing
            if not why_not_shared(plan.transformer, asked.executions()):
                found.setdefault(plan.title, plan)
    return found


def _gaps(frame: pd.DataFrame, target: float) -> dict[str, list[float]]:
    """Sparsities between the last that is too little and the first that is enough, of any scenario."""
    found: dict[str, list[float]] = {}
    for (name, *_), tried in frame.groupby(["family", *_SCENARIO], sort=False):
        ordered = tried.sort_values("sparsity")
        enough = (ordered["predicted"] >= target).to_numpy()
        if family_named(str(name)).fixed_sparsity is None and enough.any():
            place = int(enough.argmax())
            sparsities = [0.0, *ordered["sparsity"]]
            between = np.linspace(sparsities[place], sparsities[place + 1], STEPS + 2)[1:-1]
            found.setdefault(str(name), []).extend(round(float(value), 5) for value in between)
    return found


def _answer(
    scenario: dict[str, object], family: object, tried: pd.DataFrame, target: float
) -> dict[str, object]:
    ordered = tried.sort_values(["sparsity", "predicted"])
    enough = ordered[ordered["predicted"] >= target]
    highest, ceiling = float(tried["predicted"].max()), float(tried["ceiling"].max())
    row = scenario | {"family": family, "target": target, "highest": highest, "ceiling": ceiling}
    if enough.empty:
        return (
            row
            | {"reached": False, "limit": "ceiling" if ceiling < target else "prediction"}
            | dict(_nothing())
        )
    return row | {"reached": True, "limit": ""} | {name: enough.iloc[0][name] for name, _ in _nothing()}


def _nothing() -> Iterator[tuple[str, object]]:
    """What is known of a plan only where there is one, with what stands for it elsewhere."""
    yield "plan", ""
    for name in ("sparsity", "sparsity_realised", "params_removed"):
        yield name, math.nan
    for name in ("predicted", "predicted_lower", "predicted_upper", "static_m_equivalent"):
        yield name, math.nan
    yield "fits_memory", True
