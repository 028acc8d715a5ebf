"""Small models and problems of a search, solved by looking at every plan too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any

import numpy as np

import infersim as sim
from infersim.domain.profile import HardwareProfile
from infersim.simulation.search.importance.losses import Importance
from infersim.simulation.search.problem import Problem, problem_of
from infersim.simulation.search.settings.asking import setting_of
from infersim.simulation.search.settings.targets import Targets
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.space import Texts, space_of
from infersim.workload.transformer import Transformer
from tests.toy_models import transformer_from_sizes

DECODE: dict[str, Any] = {"phase": "decode", "batch": 8, "context": 4096}
TEXTS: Texts = {"attention": ["kv_heads=2", "none"], "ffn": ["width=1024", "width=2048", "none"]}


@cache
def gpu() -> HardwareProfile:
    return sim.load_profile("h100-sxm")


@cache
def toy(layers: int = 3) -> Transformer:
    return transformer_from_sizes(
        hidden=1024, layers=layers, num_heads=8, num_kv_heads=4, width=4096, vocab=8000
    )


def losses(
    model: Transformer, texts: Texts, of: Callable[[int, str, int], float], limits: Limits | None = None
) -> Importance:
    """`of` a layer, its sublayer and the place of its choice, 0 being kept, which loses nothing."""
    space = space_of(model, texts, limits or Limits())
    return Importance(
        label="losses.csv",
        measured=True,
        single={
            (slot.layer, slot.sublayer): {
                choice: of(slot.layer, slot.sublayer.value, place) if place else 0.0
                for place, choice in enumerate(slot.choices)
            }
            for slot in space.slots
        },
        pairs={},
    )


def random_losses(model: Transformer, texts: Texts, seed: int) -> Importance:
    chance = np.random.default_rng(seed)
    return losses(model, texts, lambda *_: float(chance.uniform(0.1, 1.0)))


def problem(
    model: Transformer,
    importance: Importance | str,
    *,
    texts: Texts | None = TEXTS,
    limits: Limits | None = None,
    options: dict[str, Any] | None = None,
    **targets: Any,
) -> Problem:
    return problem_of(
        model,
        setting_of(model, gpu(), DECODE if options is None else options),
        importance,
        texts=texts,
        targets=Targets.of(**targets),
        limits=limits or Limits(),
    )


def every_plan(found: Problem) -> Iterator[tuple[int, ...]]:
    """The place of each slot's choice, of all plans that leave something."""
    for places in product(*(range(len(slot.choices)) for slot in found.space.slots)):
        if any(slot.made[place] is not None for slot, place in zip(found.space.slots, places, strict=True)):
            yield places
