"""The families by name, in the order of the taxonomy, with their summaries and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature

from infersim.domain.errors import UnknownNameError
from infersim.pruning.dynamic_m import dynamic_m
from infersim.pruning.dynamic_nk import dynamic_nk
from infersim.pruning.kv_pruning import kv_pruning
from infersim.pruning.plan import OptionValue
from infersim.pruning.pruned import Pruned
from infersim.pruning.static_k_2_4 import FIXED_SPARSITY, static_k_2_4
from infersim.pruning.static_k_lowrank import static_k_lowrank
from infersim.pruning.static_m import static_m
from infersim.pruning.static_nk import static_nk
from infersim.pruning.static_nk_cross import static_nk_cross


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of pruning.

    `function` takes a Transformer, a sparsity and the options by keyword. `fixed_sparsity` is the only
    sparsity a family can have (None: any in [0, 1)).
    """

    name: str
    summary: str
    function: Callable[..., Pruned]
    fixed_sparsity: float | None = None

    @property
    def options(self) -> Mapping[str, OptionValue]:
        """Names of the options with their defaults."""
        parameters = signature(self.function).parameters.values()
        return {entry.name: entry.default for entry in parameters if entry.kind is Parameter.KEYWORD_ONLY}

    def accepts(self, sparsity: float) -> bool:
        """Whether the family can have this sparsity at all."""
        return self.fixed_sparsity in (None, sparsity)

    def check_options(self, options: Mapping[str, OptionValue]) -> None:
        """Refuse options that the family does not have, naming those it has."""
        for option in options:
            if option not in self.options:
                raise UnknownNameError(f"option of {self.name}", option, self.options)


_FAMILIES = (
    Family(
        name="static-m",
        summary="whole layers, attention or FFN sublayers removed",
        function=static_m,
    ),
    Family(
        name="static-k-2:4",
        summary="half of K zero, two of each four weights",
        function=static_k_2_4,
        fixed_sparsity=FIXED_SPARSITY,
    ),
    Family(
        name="static-k-lowrank",
        summary="each matrix replaced by two low-rank factors",
        function=static_k_lowrank,
    ),
    Family(
        name="static-nk",
        summary="attention heads and FFN width cut",
        function=static_nk,
    ),
    Family(
        name="static-nk-cross",
        summary="hidden size cut across all blocks, embedding and LM head",
        function=static_nk_cross,
    ),
    Family(
        name="dynamic-m",
        summary="tokens routed around attention and FFN sublayers",
        function=dynamic_m,
    ),
    Family(
        name="dynamic-nk",
        summary="causal attention blocks left out, chosen for each input",
        function=dynamic_nk,
    ),
    Family(
        name="kv-pruning",
        summary="decode attends to some of the cached tokens only",
        function=kv_pruning,
    ),
)


def families() -> tuple[Family, ...]:
    """All families in the order of the taxonomy."""
    return _FAMILIES


def family_named(name: str) -> Family:
    """Look up a family; raises UnknownNameError that lists the known ones."""
    for family in _FAMILIES:
        if family.name == name:
            return family
    raise UnknownNameError("family", name, (family.name for family in _FAMILIES))
