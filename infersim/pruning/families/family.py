"""What all families share: the record that one returns, checks of its options, and rounding.

Sparsities are rounded to whole layers and heads, and to the multiples that tensor cores like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from math import floor
from numbers import Real

from infersim.domain.arguments import refused
from infersim.domain.errors import UnknownNameError, UnsupportedError
from infersim.domain.numbers import count
from infersim.domain.ops import Part
from infersim.pruning.families.engine_support import Answer, EngineSupport
from infersim.pruning.linears import refuse_latent
from infersim.pruning.plan import OptionValue
from infersim.pruning.sublayer_pairs import Comparison, Finding
from infersim.workload.transformer import Attention, ExpertLayer, Transformer, has_experts

SPARSE_ATTENTION = "sparse attention"
"""The axis of quality of families that leave out what queries see: what they lose depends on the length of
the task, so they stand beside each other only, task by task."""


def with_attention(model: Transformer, change: Callable[[Attention], Attention]) -> Transformer:
    """The model with `change` applied to each attention; UnsupportedError for none or a latent one."""
    for block, _ in model.grouped_blocks():
        refuse_latent(block, "pruning of what queries attend to")
    if not any(isinstance(block.attention, Attention) for block in model.blocks):
        raise UnsupportedError(f"{model.name} has no attention left to prune")
    return model.with_blocks(
        tuple(
            replace(block, attention=change(block.attention))
            if isinstance(block.attention, Attention)
            else block
            for block in model.blocks
        )
    )


def expert_layers(model: Transformer) -> list[ExpertLayer]:
    """The layers of experts in order; UnsupportedError for a dense model."""
    found = [block.ffn for block in model.blocks if isinstance(block.ffn, ExpertLayer)]
    if not found:
        raise UnsupportedError(f"{model.name} has no layers of experts: none of its FFNs has a router")
    return found


def with_expert_layers(model: Transformer, change: Callable[[ExpertLayer], ExpertLayer]) -> Transformer:
    """The model with `change` applied to each layer of experts, in order."""
    return model.with_blocks(
        tuple(
            replace(block, ffn=change(block.ffn)) if isinstance(block.ffn, ExpertLayer) else block
            for block in model.blocks
        )
    )


def round_half_up(value: float) -> int:
    """The nearest integer, halves upwards (Python's `round` sends 2.5 to 2, which no reader expects)."""
    return floor(value + 0.5)


def nearest_multiple(value: float, align: int) -> int:
    """The multiple of `align` nearest to `value`, and at least `align`."""
    return max(align, align * round_half_up(value / align))


def check_sparsity(value: object) -> float:
    """Return `value` as a float in [0, 1); NaN and percentages are refused."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer beyond any float
            fraction = float(value)
            if 0 <= fraction < 1:
                return fraction
    raise refused("sparsity", value, "a fraction from 0 up to, but not including, 1 (25 % is 0.25)")


def a_sparsity(key: str, value: object) -> float:  # noqa: ARG001  # a rule of arguments
    """A rule of arguments: what `check_sparsity` returns."""
    return check_sparsity(value)


def check_choice(key: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise refused(key, value, f"one of {', '.join(choices)}")


MAX_OPTION = 2**24
"""Beyond any width, block or alignment: a larger number is a slip."""


def check_integer(key: str, value: object, *, low: int, high: int = MAX_OPTION) -> None:
    """Refuse a value that is not an integer from `low` to `high`."""
    count(high, low=low)(key, value)


def check_flag(key: str, value: object) -> None:
    """Refuse a value that is not true or false."""
    if not isinstance(value, bool):
        raise refused(key, value, "true or false")


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
    - `of_experts`: only a model with layers of experts has what it prunes.
    - `same_kernels`: what is left runs the dense model's own kernels, fewer times.
    - `not_measured`: why `measure model` does not run it. Empty: it does, with the options `measured_with`
      where nobody chooses others.
    - `engines`: what engines do with its models; one that is not named: unknown.
    """

    name: str
    summary: str
    function: Callable[..., Pruned]
    recognised: Callable[[Comparison], Finding | None]
    colour: str
    marker: str
    fixed_sparsity: float | None = None
    quality_axis: str = ""
    of_experts: bool = False
    same_kernels: bool = False
    not_measured: str = ""
    measured_with: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)
    engines: tuple[EngineSupport, ...] = ()

    @property
    def options(self) -> Mapping[str, OptionValue]:
        """Names of the options with their defaults."""
        parameters = signature(self.function).parameters.values()
        return {entry.name: entry.default for entry in parameters if entry.kind is Parameter.KEYWORD_ONLY}

    @property
    def page(self) -> str:
        """Its page in `docs/families`."""
        return f"{self.name.replace(':', '-')}.md"

    def support(self, engine: str) -> EngineSupport:
        """What the engine of that name does with its models."""
        known = (each for each in self.engines if each.engine == engine)
        nothing = EngineSupport(engine=engine, answer=Answer.UNKNOWN, source="", needs="no source is known")
        return next(known, nothing)

    def suits(self, model: Transformer) -> bool:
        """Whether a model is of the kind that the family is for; what it cannot do there it says itself."""
        return not self.of_experts or has_experts(model)

    def accepts(self, sparsity: float) -> bool:
        """Whether the family can have this sparsity at all."""
        return self.fixed_sparsity in (None, sparsity)

    def check_options(self, options: Mapping[str, OptionValue]) -> None:
        """Refuse options that the family does not have, naming those it has."""
        for option in options:
            if option not in self.options:
                raise UnknownNameError(f"option of {self.name}", option, self.options)
