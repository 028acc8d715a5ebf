"""The identity of a sweep: what must be the same for its table to go on, and what is told where it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from infersim.domain.errors import FileContentError
from infersim.domain.profile import HardwareProfile
from infersim.files.fingerprint import code_fingerprint, fingerprint
from infersim.pruning.plan import Plan
from infersim.simulation.measured.files import load_published
from infersim.simulation.sweeping.plan_lists import Source
from infersim.simulation.sweeping.plan_prunings import ModelPlans

Identity = Mapping[str, object]
"""Versions, the plan, and fingerprints of what it names: as JSON beside the parts and in the table."""


def sweep_identity(
    source: Source, prunings: Sequence[ModelPlans], gpus: Sequence[HardwareProfile]
) -> dict[str, object]:
    """The identity of a plan with all that it names."""
    own = [plan for pruning in prunings for plan in pruning.plans if plan.name]
    return {
        "version of infersim": version("infersim"),
        "code of infersim": code_fingerprint(),
        "plan": source.tables.model_dump(mode="json"),
        "models": {pruning.model.name: fingerprint(pruning.model) for pruning in prunings},
        "gpus": {profile.name: fingerprint(profile) for profile in gpus},
        "plan files": {f"{plan.title} of {plan.base.name}": _plan_fingerprint(plan) for plan in own},
        "published speedups": fingerprint(load_published()),
    }


def _plan_fingerprint(plan: Plan) -> str:
    return fingerprint((plan.title, plan.steps, plan.targets, plan.transformer))


def refuse_other(place: Path, said: object, identity: Identity, cure: str) -> None:
    """Raise FileContentError that names the first thing of `said` that differs from `identity`."""
    key, before, now = _difference(said, json.loads(json.dumps(identity)))
    if key:
        expected = f"{_brief(now)} as now. To start this sweep over, {cure}, or choose another out"
        raise FileContentError(place, key, _brief(before), expected)


def _difference(said: object, now: object) -> tuple[str, object, object]:
    if isinstance(said, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*said, *now)):
            inner, before, after = _difference(said.get(key), now.get(key))
            if (before, after) != (None, None):
                return f"{key}.{inner}".rstrip("."), before, after
        return "", None, None
    return ("", None, None) if said == now else ("", said, now)


def _brief(value: object) -> object:
    """A fingerprint by its first digits."""
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else value
