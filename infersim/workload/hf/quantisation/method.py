"""The record of a quantisation method: what its config states, as data, and what reading it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infersim.domain.dtypes import DType
from infersim.workload.hf.quantisation.statement import Matches, Module, Statement, nothing
from infersim.workload.weight_format import WeightFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Matrices that `matches` finds are stored in `format` (None: in 16 bit)."""

    matches: Matches
    format: WeightFormat | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """What a config states: of the rules the first that matches holds, and without one a matrix is 16 bit.

    `sparse` finds matrices in 2:4 form, which weight files show where they are `packed` so. `head`: whether
    rules reach the LM head, which most methods leave alone whatever they match. `notes` are for people.
    """

    rules: tuple[Rule, ...] = ()
    sparse: Matches = nothing
    packed: bool = False
    head: bool = False
    kv_dtype: DType | None = None
    notes: tuple[str, ...] = ()

    def format_of(self, module: Module) -> WeightFormat | None:
        """The format of a matrix."""
        if module.outside and not self.head:
            return None
        return next((rule.format for rule in self.rules if rule.matches(module)), None)


def everything(_: Module) -> bool:
    """Matches all modules."""
    return True


def all_but(kept: Matches, stored: WeightFormat) -> tuple[Rule, ...]:
    """Every matrix in `stored`, those that `kept` finds in 16 bit."""
    return (Rule(matches=kept, format=None), Rule(matches=everything, format=stored))


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One `quant_method`, or several that are read alike.

    - `title`: what people call it; `formats`: the formats that it can state, for the docs.
    - `read`: from its object to Formats; raises FileContentError and UnsupportedError.
    - `keys`: those that `read` looks at; `harmless`: further ones that change neither bytes nor kernels. Any
      other key that is set is refused.
    - `remark`: what the docs say of it.
    """

    names: tuple[str, ...]
    title: str
    formats: str
    read: Callable[[Statement], Formats]
    keys: str
    harmless: str = ""
    remark: str = ""

    def formats_of(self, statement: Statement) -> Formats:
        """Check the keys, and read."""
        statement.check_keys({"quant_method", *self.keys.split(), *self.harmless.split()})
        return self.read(statement)
