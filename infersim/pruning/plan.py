"""A plan: a dense model, what pruning made of it, and by which steps."""

from __future__ import annotations

from dataclasses import dataclass

from infersim.domain.ops import Part
from infersim.pruning.linears import executed_values
from infersim.workload.counts import parameters
from infersim.workload.transformer import Transformer

OptionValue = str | int | float | bool
"""Value of a family's option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One family applied once.

    `sparsity` is what was asked for (None: layers, heads, ranks... were given one by one). The fraction that
    came out, `sparsity_realised`, is one of what the step before left. `options` holds those that were set.
    """

    family: str
    sparsity: float | None
    sparsity_realised: float
    options: tuple[tuple[str, OptionValue], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pruned model beside the dense one it came from.

    `base` is the dense model, `transformer` the pruned one. `targets` are the parts that the steps mean to
    cut: ops of the other parts are the plan's unpruned work. `name` is the file's or the checkpoint's
    (empty: the plan was made by steps alone).
    """

    base: Transformer
    transformer: Transformer
    steps: tuple[PlanStep, ...] = ()
    targets: frozenset[Part] = frozenset()
    name: str = ""

    @property
    def title(self) -> str:
        """What people read: the name, or each step with its sparsity and the options that were set."""
        return self.name or " + ".join(map(_step_title, self.steps)) or "dense"

    @property
    def recognised(self) -> str:
        """Which families were found in a checkpoint, and how much of each; empty where they were given."""
        if not self.name or any(step.sparsity is not None for step in self.steps):
            return ""
        return f"found {', '.join(map(_step_title, self.steps)) or 'nothing that was pruned'}"

    @property
    def pruning(self) -> str:
        """The title without a sparsity: equal for plans that differ in it alone (`static-nk (target=ffn)`).

        Where no one sparsity was asked for, the title.
        """
        if self.name or self.sparsity is None:
            return self.title
        return f"{self.steps[0].family}{_options_text(self.steps[0])}"

    @property
    def family(self) -> str:
        """The families in order, joined by ` + `, each named once; `dense` without any."""
        return " + ".join(dict.fromkeys(step.family for step in self.steps)) or "dense"

    @property
    def sparsity(self) -> float | None:
        """The sparsity asked for; None unless there is one step: fractions of different things do not add."""
        return self.steps[0].sparsity if len(self.steps) == 1 else None

    @property
    def sparsity_realised(self) -> float:
        """What came out: of one step, its own fraction; of several, `block_linears_removed`."""
        return self.steps[0].sparsity_realised if len(self.steps) == 1 else self.block_linears_removed

    @property
    def block_linears_removed(self) -> float:
        """The fraction of the block linears' parameters that a token no longer passes through.

        The common measure of composed plans: removed matrices, narrower ones, zeros of 2:4 and skipped token
        executions count alike; attention and the KV cache do not count.
        """
        return 1 - executed_values(self.transformer) / executed_values(self.base)

    @property
    def params_removed(self) -> float:
        """The fraction of all parameters that is removed; negative where a family adds more than it cuts."""
        return 1 - parameters(self.transformer) / parameters(self.base)


def _step_title(step: PlanStep) -> str:
    """`static-nk 50 %`, or with options `static-nk 50 % (target=ffn)`."""
    percent = f"{100 * (step.sparsity_realised if step.sparsity is None else step.sparsity):.4g} %"
    return f"{step.family} {percent}{_options_text(step)}"


def _options_text(step: PlanStep) -> str:
    options = ", ".join(f"{name}={value}" for name, value in step.options)
    return f" ({options})" if options else ""
