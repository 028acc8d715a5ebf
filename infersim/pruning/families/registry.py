"""The families in the order of the taxonomy: the order of tables, legends and `all`."""

from __future__ import annotations

from infersim.domain.errors import UnknownNameError
from infersim.pruning.families.dynamic_e import DYNAMIC_E
from infersim.pruning.families.dynamic_m import DYNAMIC_M
from infersim.pruning.families.dynamic_mnk import DYNAMIC_MNK
from infersim.pruning.families.dynamic_nk import DYNAMIC_NK
from infersim.pruning.families.family import Family
from infersim.pruning.families.kv_pruning import KV_PRUNING
from infersim.pruning.families.static_e import STATIC_E
from infersim.pruning.families.static_k_2_4 import STATIC_K_2_4
from infersim.pruning.families.static_k_lowrank import STATIC_K_LOWRANK
from infersim.pruning.families.static_m import STATIC_M
from infersim.pruning.families.static_nk import STATIC_NK
from infersim.pruning.families.static_nk_cross import STATIC_NK_CROSS
from infersim.pruning.families.unstructured import UNSTRUCTURED
from infersim.workload.transformer import Transformer

_FAMILIES: tuple[Family, ...] = (
    STATIC_M,
    STATIC_K_2_4,
    STATIC_K_LOWRANK,
    STATIC_NK,
    STATIC_NK_CROSS,
    DYNAMIC_M,
    DYNAMIC_NK,
    KV_PRUNING,
    DYNAMIC_MNK,
    UNSTRUCTURED,
    STATIC_E,
    DYNAMIC_E,
)
"""Here a new family is entered; nothing else lists them."""


def families() -> tuple[Family, ...]:
    """All families in the order of the taxonomy."""
    return _FAMILIES


def suitable_families(model: Transformer) -> tuple[Family, ...]:
    """What `all` means for a model: those of its kind, in the order of the taxonomy."""
    return tuple(family for family in families() if family.suits(model))


def family_named(name: str) -> Family:
    """Look up a family; raises UnknownNameError that lists the known ones."""
    found = find_family(name)
    if found is None:
        raise UnknownNameError("family", name, (family.name for family in _FAMILIES))
    return found


def find_family(name: str) -> Family | None:
    """The family of that name; None for several (`static-m + static-nk`), for `dense` and for others."""
    return next((family for family in _FAMILIES if family.name == name), None)


def quality_axis(name: str) -> str:
    """The axis of its own that losses of the family stand on; empty where it has none, or is no family."""
    family = find_family(name)
    return "" if family is None else family.quality_axis
