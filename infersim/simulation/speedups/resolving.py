"""What users may pass for a dimension, a GPU, a model or a plan: numbers, records, names or files.

One or several of a thing: what is named twice counts once, and two that differ cannot bear one name, because
rows tell them apart by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from infersim.domain.arguments import a, a_path, either, one_or_several, optional, refused
from infersim.domain.arrays import Numeric
from infersim.domain.errors import InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.files.fingerprint import fingerprint
from infersim.profile_files.profiles import a_profile
from infersim.pruning.composition import Model, a_model_or_plan
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.checkpoint import plan_of_sparse
from infersim.simulation.measured.table import MeasuredTable
from infersim.workload.presets import a_model
from infersim.workload.transformer import Transformer

__all__ = ["Dimension", "Gpu", "Model", "a_model", "a_model_or_plan", "a_profile"]

Dimension: TypeAlias = Numeric | Sequence[int]
"""A batch, a context or another dimension: a number or several."""

Gpu: TypeAlias = HardwareProfile | str | Path
"""A profile, its name (or an alias), or a path to its `.toml`."""

DENSE = "dense"
"""The title of a plan without steps, and of the dense model in tables of ops."""

Named = TypeVar("Named", HardwareProfile, Plan)

measured_speedups = optional(either(MeasuredTable, a_path))
"""A rule of arguments: a table of measured speedups, or the place of one."""

_profiles = one_or_several(a_profile, called="GPU")
_plans = one_or_several(a(Plan, called="plans: what prune returns"), called="plan")


def profiles(key: str, value: Any) -> tuple[HardwareProfile, ...]:
    """A rule of arguments: one or several GPUs, each once."""
    return _each_once(key, _profiles(key, value), lambda gpu: gpu.name)


def plans(key: str, value: Any) -> tuple[Plan, ...]:
    """A rule of arguments: one or several plans, each once; none that prunes is called `dense`."""
    found = _each_once(key, _plans(key, value), lambda plan: plan.title)
    for plan in found:
        if plan.title == DENSE and plan.transformer != plan.base:
            raise refused(key, plan.title, "another name: this one is the dense model's")
    return found


def as_profile(gpu: Gpu) -> HardwareProfile:
    """The profile; errors as in `load_profile`."""
    return a_profile("gpu", gpu)


def as_profiles(gpu: Gpu | Sequence[Gpu]) -> tuple[HardwareProfile, ...]:
    """One or several profiles, each once."""
    return profiles("gpu", gpu)


def as_transformer(model: Model) -> Transformer:
    """The dense model; errors as in `load_model`."""
    return a_model("model", model)


def as_plan(model_or_plan: Model | Plan) -> Plan:
    """A plan as it is; a 2:4 checkpoint as one of its dense model; any other model without steps."""
    found = a_model_or_plan("model", model_or_plan)
    if isinstance(found, Plan):
        return found
    return plan_of_sparse(found) or Plan(base=found, transformer=found)


def as_plans(model: Transformer, several: Plan | Sequence[Plan]) -> tuple[Plan, ...]:
    """One or several plans, each once, all made of `model`; InvalidValueError otherwise."""
    found = plans("plans", several)
    for plan in found:
        if plan.base != model:
            raise InvalidValueError("plans", plan.base.name, f"plans made of {model.name}")
    return found


def _each_once(key: str, several: Iterable[Named], name_of: Callable[[Named], str]) -> tuple[Named, ...]:
    found: dict[str, Named] = {}
    for each in several:
        known = found.setdefault(name_of(each), each)
        if known is not each and fingerprint(known) != fingerprint(each):
            raise refused(key, name_of(each), "different names for those that differ: rows tell them by it")
    return tuple(found.values())
