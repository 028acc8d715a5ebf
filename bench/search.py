"""How long tables and searches take: ten thousand entries, and 48 layers of 40 choices under five targets.

    python bench/search.py

Losses are random: lognormal by sublayer, growing with what is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import infersim as sim
from infersim.simulation.search.importance.losses import Importance
from infersim.simulation.search.problem import problem_of
from infersim.simulation.search.searching import solved
from infersim.simulation.search.settings.asking import setting_of
from infersim.simulation.search.settings.targets import Targets
from infersim.simulation.search.spaces.limits import Limits
from infersim.simulation.search.spaces.space import Texts, space_of
from infersim.workload.counts import parameters
from infersim.workload.transformer import Transformer

GPU = "h100-sxm"
MOST_TABLE_S, MOST_SEARCH_S, MOST_GAP = 1.0, 20.0, 1e-3

TABLE: Texts = {"attention": ["kv_heads=4", "none"], "ffn": ["width=256..28672/224"]}
CHOICES: Texts = {
    "attention": [
        *("kv_heads=4", "kv_heads=2", "kv_heads=1", "linear", "linear=512", "none"),
        *("heads=35+kv_heads=7", "heads=30+kv_heads=6", "heads=20+kv_heads=4", "heads=10+kv_heads=2"),
    ],
    "ffn": ["width=448..12992/448", "none"],
}
"""11 and 31 choices of the two sublayers of each layer, with the one that keeps it."""

TARGETS: dict[str, Any] = {"speedup": 1.3, "tpot_ms": 9.0, "ttft_ms": 800.0, "memory_gib": 20.0, "sure": 0.8}
"""Five rows: a speedup of prefill, one of decode, TPOT, TTFT, and memory, which counts in both phases."""

Made = TypeVar("Made")


def random_losses(model: Transformer, texts: Texts, seed: int) -> Importance:
    """Losses that grow with the share of a sublayer's parameters that is removed."""
    chance, space = np.random.default_rng(seed), space_of(model, texts, Limits())
    bare = parameters(model.with_blocks(()))
    single = {}
    for slot in space.slots:
        weight, counts = chance.lognormal(0.0, 0.7), []
        for place in range(len(slot.choices)):
            places = [place if each is slot else 0 for each in space.slots]
            blocks = space.blocks(places)
            counts.append(parameters(model.with_blocks((blocks[slot.layer],))) - bare)
        removed = 1 - np.array(counts) / counts[0]
        lost = weight * np.maximum(removed, 0) ** 1.5 * chance.uniform(0.9, 1.1, len(counts))
        single[slot.layer, slot.sublayer] = dict(zip(slot.choices, lost.tolist(), strict=True))
    return Importance(label="random losses", measured=True, single=single, pairs={})


def timed(what: str, call: Callable[[], Made], most_s: float) -> Made:
    """Call, and say how long it took."""
    wall, core = time.perf_counter(), time.process_time()
    made = call()
    spent, cores = time.perf_counter() - wall, time.process_time() - core
    print(f"{what}: {spent:.2f} s, {cores:.2f} s of a core (at most {most_s:g} s)")
    assert cores <= most_s, what
    return made


def main() -> None:
    """Both, with what is wanted of them."""
    big = sim.load_model("llama-3.1-70b")
    options: dict[str, Any] = {"phase": "decode", "batch": 8, "context": 4096}
    sim.latency_table(big, GPU, choices={"ffn": ["none"]}, **options)  # what a first call imports
    frame = timed("table", lambda: sim.latency_table(big, GPU, choices=TABLE, **options), MOST_TABLE_S)
    print(f"  {len(frame):,} entries")
    model = sim.load_model("qwen2.5-14b")
    losses = random_losses(model, CHOICES, 1)
    setting = setting_of(model, sim.load_profile(GPU), {"phase": "both", "batch": 8, "context": 4096})
    problem = problem_of(
        model, setting, losses, texts=CHOICES, targets=Targets.of(**TARGETS), limits=Limits()
    )
    slots = problem.space.slots
    print(
        f"  {len(model.blocks)} layers, {problem.space.size} choices, {len(slots[0].choices)} and more each"
    )
    found = timed("search", lambda: solved(problem, gap=MOST_GAP, points=0, uniform=False), MOST_SEARCH_S)
    print(found.goals.to_string(index=False))
    print(f"  gap {found.answer['gap'].iloc[0]:.2e}, {found.answer['rounds'].iloc[0]} rounds")
    assert found.goals["met"].all()
    assert found.answer["gap"].iloc[0] <= MOST_GAP


if __name__ == "__main__":
    main()
