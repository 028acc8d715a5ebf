"""What users may pass for a dimension, a GPU or a model: numbers, records, names or files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from infersim.domain.arrays import Array, Numeric
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import load_profile
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.checkpoint import plan_of_sparse
from infersim.workload.presets import load_model
from infersim.workload.scenario import check_whole
from infersim.workload.transformer import Transformer

Dimension: TypeAlias = Numeric | Sequence[int]
"""A batch, a context or another dimension: a number or several."""

Gpu: TypeAlias = HardwareProfile | str | Path
"""A profile, its name (or an alias), or a path to its `.toml`."""

Model: TypeAlias = Transformer | str | Path
"""A transformer, a preset's name, or a path to a Hugging Face config."""


def checked_dimension(key: str, value: Dimension, high: int) -> Array:
    """`value` as an array; InvalidValueError unless all of it are integers from 1 to `high`."""
    try:
        array = np.asarray(value)
    except ValueError:  # numpy's word for lists of unequal lengths
        raise InvalidValueError(key, value, "an integer, or an array of them") from None
    check_whole(key, value, high)
    return array.astype(np.float64, copy=False)


def as_profile(gpu: Gpu) -> HardwareProfile:
    """The profile; errors as in `load_profile`."""
    return gpu if isinstance(gpu, HardwareProfile) else load_profile(gpu)


def as_profiles(gpu: Gpu | Sequence[Gpu]) -> tuple[HardwareProfile, ...]:
    """One or several profiles."""
    several = (gpu,) if isinstance(gpu, Gpu) else tuple(gpu)
    if not several:
        raise InvalidValueError("gpu", gpu, "at least one GPU")
    return tuple(map(as_profile, several))


def as_transformer(model: Model) -> Transformer:
    """The dense model; errors as in `load_model`."""
    return model if isinstance(model, Transformer) else load_model(model)


def as_plan(model_or_plan: Model | Plan) -> Plan:
    """A plan as it is; a 2:4 checkpoint as one of its dense model; any other model without steps."""
    if isinstance(model_or_plan, Plan):
        return model_or_plan
    transformer = as_transformer(model_or_plan)
    return plan_of_sparse(transformer) or Plan(base=transformer, transformer=transformer)


def as_plans(model: Transformer, plans: Plan | Sequence[Plan]) -> tuple[Plan, ...]:
    """One or several plans, all made of `model`; InvalidValueError otherwise."""
    several = (plans,) if isinstance(plans, Plan) else tuple(plans)
    if not several:
        raise InvalidValueError("plans", plans, "at least one plan")
    for plan in several:
        if plan.base != model:
            raise InvalidValueError("plans", plan.base.name, f"plans made of {model.name}")
    return several
