"""Parameters of the cost model: their defaults, and what the shipped fits found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import infersim
from _generate.markdown import markdown_table
from infersim.cost.collectives.parameters import COLLECTIVE_PARAMETERS
from infersim.cost.gemm import group_skip, mask_sort, unstructured
from infersim.cost.parameters import DEFAULTS
from infersim.domain.fit import KindFit
from infersim.profile_files.names import shipped_files
from infersim.report.core import rounding


def parameters(question: dict[str, Any]) -> str:
    """A row for each parameter of `question["defaults"]`, a column for each GPU with a fit of its own."""
    fits = _own_fits(question["kind"])
    rows = [
        [f"`{name}`", rounding.quantity(default), *(_found(fit, name) for fit in fits.values())]
        for name, default in _defaults(question["defaults"]).items()
    ]
    return markdown_table(["parameter", "default", *fits], rows)


_OWN = {each.name: each for each in (group_skip.PARAMETERS, mask_sort.PARAMETERS, unstructured.PARAMETERS)}


def _defaults(kind: str) -> Mapping[str, float]:
    stated = COLLECTIVE_PARAMETERS.get(kind, _OWN.get(kind))
    return DEFAULTS[kind] if stated is None else stated.defaults


def _own_fits(kind: str) -> dict[str, KindFit]:
    profiles = {name: infersim.load_profile(name) for name in shipped_files()}
    found = {
        name: profile.fit.kinds[kind]
        for name, profile in profiles.items()
        if profile.fit is not None and profile.fit.gpu == name and kind in profile.fit.kinds
    }
    return {name: fit for name, fit in found.items() if not fit.transferred}


def _found(fit: KindFit, name: str) -> str:
    if name not in fit.parameters:
        return rounding.UNKNOWN
    return rounding.quantity(fit.parameters[name]) + (r"\*" if name in fit.at_bound else "")
