"""What a family is: its record, which states all that others need to know, and what its function returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature

from infersim.domain.errors import UnknownNameError
from infersim.domain.ops import Part
from infersim.pruning.plan import OptionValue
from infersim.pruning.sublayer_pairs import Comparison, Finding
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The result of one family.

    `sparsity_realised` is the fraction really removed of what the family's sparsity is a fraction of, after
    rounding to layers, heads and alignment. `targets` are the parts that the family means to cut.
    """

    transformer: Transformer
    sparsity_realised: float
    targets: frozenset[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of pruning, with all that others need to know of it.

    - `name` is its name everywhere: in plans, tables, figures and on its page in the docs.
    - `function` takes a Transformer, a sparsity and the options by keyword; `recognised` finds what it did in
      a dense model and a pruned one side by side (None: nothing).
    - `fixed_sparsity` is the only sparsity it can have (None: any in [0, 1)).
    - `colour` (a name of the palette) and `marker` (one of plotly's) are its look in figures; no two families
      share both.
    - `quality_axis`: where what it loses depends on the length of the task, the axis that its losses stand
      on, task by task. Empty: losses stand on the axis of their type of task, beside other families'.
    - `same_kernels`: what is left runs the dense model's own kernels, fewer times.
    - `not_measured`: why `measure model` does not run it. Empty: it does, with the options `measured_with`
      where nobody chooses others.
    """

    name: str
    summary: str
    function: Callable[..., Pruned]
    recognised: Callable[[Comparison], Finding | None]
    colour: str
    marker: str
    fixed_sparsity: float | None = None
    quality_axis: str = ""
    same_kernels: bool = False
    not_measured: str = ""
    measured_with: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)

    @property
    def options(self) -> Mapping[str, OptionValue]:
        """Names of the options with their defaults."""
        parameters = signature(self.function).parameters.values()
        return {entry.name: entry.default for entry in parameters if entry.kind is Parameter.KEYWORD_ONLY}

    @property
    def page(self) -> str:
        """Its page in `docs/families`."""
        return f"{self.name.replace(':', '-')}.md"

    def accepts(self, sparsity: float) -> bool:
        """Whether the family can have this sparsity at all."""
        return self.fixed_sparsity in (None, sparsity)

    def check_options(self, options: Mapping[str, OptionValue]) -> None:
        """Refuse options that the family does not have, naming those it has."""
        for option in options:
            if option not in self.options:
                raise UnknownNameError(f"option of {self.name}", option, self.options)
