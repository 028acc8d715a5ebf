"""A stack of fewer layers of a model and its plans, for machines that cannot hold the whole model.

The stack keeps the mix of layers: of each kind of block (and of the removed ones) the same share stays, as
nearly as whole layers allow. Dense and pruned stacks are compared with each other, so a speedup measured on
them is well defined, and is to be set against one predicted for the same stacks.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from infersim.domain.errors import InvalidValueError
from infersim.pruning.plan import Plan
from infersim.workload.transformer import Transformer


def stack_of_model(model: Transformer, layers: int) -> Transformer:
    """`layers` layers of the model, with a name that says so; the model itself where that is all of them.

    Raises InvalidValueError for more layers than it has, or none.
    """
    total = len(model.blocks)
    if isinstance(layers, bool) or not 1 <= layers <= total:
        raise InvalidValueError("layers", layers, f"1 to {total}, the layers of {model.name}")
    if layers == total:
        return model
    kept = _share(list(model.blocks), layers, total)
    blocks = tuple(model.blocks[index] for index in kept)
    return replace(model, name=f"{model.name} ({layers} of {total} layers)", blocks=blocks)


def stack_of_plan(plan: Plan, layers: int) -> Plan:
    """The plan's share in a stack of `layers` of its dense model's layers; errors as in `stack_of_model`."""
    base = stack_of_model(plan.base, layers)
    if base is plan.base:
        return plan
    total, left = len(plan.base.blocks), plan.transformer.blocks
    # Removed layers are a kind of their own, which takes its share and then is not there.
    kinds: list[Hashable] = [*left, *[None] * (total - len(left))]
    kept = [index for index in _share(kinds, layers, total) if index < len(left)]
    blocks = tuple(left[index] for index in kept) or left[-1:]
    return replace(plan, base=base, transformer=replace(plan.transformer, name=base.name, blocks=blocks))


def _share(kinds: Sequence[Hashable], layers: int, total: int) -> list[int]:
    """Indices of `layers` of the `total` entries, each kind by the largest remainders of its share."""
    places: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(kinds):
        places.setdefault(kind, []).append(index)
    exact = {kind: len(found) * layers / total for kind, found in places.items()}
    counts = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: layers - sum(counts.values())]:
        counts[kind] += 1
    chosen = [found[at] for kind, found in places.items() for at in _spread(counts[kind], len(found))]
    return sorted(chosen)


def _spread(count: int, total: int) -> list[int]:
    """`count` of `total` places, evenly apart."""
    return [int((index + 0.5) * total / count) for index in range(count)]
