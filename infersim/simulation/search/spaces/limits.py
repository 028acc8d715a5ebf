"""Limits of a search: what people must keep to beside their targets.

- `multiple`: widths and ranks are multiples of it.
- `tensor_parallel`: so many GPUs share each layer by the rules of `workload.parallel`; with
  `expert_parallel` each has whole experts.
- `group`: so many consecutive layers have equal choices (0: every layer its own).
- `shapes`: at most so many distinct shapes of each kind of sublayer, the dense one counted, none not.
- `keep`: layers, numbered from 0 (from the end below 0), that stay as they are.
- `per_layer` False: an engine builds all layers from one shape, so that all are equal or gone.
- `refused`: families, or `format NAME`, that an engine does not run, with what it says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from infersim.domain.errors import InvalidValueError
from infersim.pruning.families.engine_support import Answer
from infersim.pruning.families.registry import families
from infersim.pruning.plan_files.layer_choices import FORMATS
from infersim.simulation.search.spaces.choices import Choice, Made, Sublayer, with_sublayer
from infersim.workload.parallel.dividing import obstacle
from infersim.workload.transformer import Block, Transformer

if TYPE_CHECKING:
    from infersim.engines.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """See the module."""

    multiple: int = 1
    tensor_parallel: int = 1
    expert_parallel: bool = False
    group: int = 0
    shapes: int | None = None
    keep: tuple[int, ...] = ()
    per_layer: bool = True
    refused: Mapping[str, str] = field(default_factory=dict)

    def keeps(self, layer: int, count: int) -> bool:
        """Whether a layer of `count` stays as it is."""
        return layer in self.keep or layer - count in self.keep

    def check_layers(self, count: int) -> None:
        """Refuse layers that a model of `count` has not: InvalidValueError names the first."""
        for layer in self.keep:
            if not -count <= layer < count:
                raise InvalidValueError("keep", layer, f"a layer from 0 to {count - 1}, or {-count} to -1")

    def against(self, choice: Choice) -> str:
        """Why a choice cannot be; empty where it can."""
        for family in choice.families:
            if family in self.refused:
                return self.refused[family]
        if choice.format is not None and f"format {choice.format}" in self.refused:
            return self.refused[f"format {choice.format}"]
        if choice.linear is not None and not self.per_layer:
            return "a linear layer in a sublayer's place is no shape that the engine builds"
        sizes = {"width": choice.ffn_width, "expert_width": choice.expert_width, "rank": choice.linear}
        for name, value in sizes.items():
            if value and value % self.multiple:
                return f"{name} {value} is no multiple of {self.multiple}"
        return ""

    def obstacle(self, model: Transformer, sublayer: Sublayer, became: Made) -> str:
        """What the GPUs cannot share of what a sublayer becomes; empty where they can share all."""
        if self.tensor_parallel == 1 or became is None:
            return ""
        alone = with_sublayer(Block(attention=None, ffn=None), sublayer, became)
        return obstacle(
            model.with_blocks((alone,)), self.tensor_parallel, expert_parallel=self.expert_parallel
        )


def runnable_by(limits: Limits, engine: Engine) -> Limits:
    """The limits with what a released version of an engine runs."""
    refused: dict[str, str] = {}
    for family in families():
        support = family.support(engine.name)
        if support.answer != Answer.YES:
            refused[family.name] = f"{engine.name} {engine.version}: {support.text}"
    for name in FORMATS:
        if name not in engine.runs.formats:
            refused[f"format {name}"] = f"{engine.name} {engine.version}: needs kernels of {name}"
    named = (each for family in families() for each in family.engines if each.engine == engine.name)
    per_layer = bool(engine.runs.per_layer) or any(each.per_layer for each in named)
    return replace(limits, per_layer=per_layer, refused=refused)
