"""Continuous batching in closed form: a fixed number of requests in the system, each answered by another.

With B requests running of C in the system, a decode step of t seconds at the mean context, P seconds to read
a prompt (its share of a step that reads b of them) and n = written - 1 decode steps a request:

    life   L = n t + B P + t / 2 + once     every running request sees its own steps and all B prompts read
    rate   X = B / L
    TPOT     = t + min((B - b) / n, r) P    b prompts are read before the first token, its own too
    first    = L - n TPOT                   which is once + t / 2 + b P where r does not bind
    waiting  = C / X - L                    where fewer run than are there (Little's law)
    TTFT     = waiting + first

r is how many prompts the engine's budget of tokens lets into a step. B is the least of C, the engine's most
sequences and what the KV cache holds. b is 1 + AHEAD + together B: requests of like lengths end together, so
that their successors come, and are read, together. Those that have waited for memory are read as others end
(together is 0). How many do is the engine's. b is at most B, where one step reads all, else (B + r) / 2: the
mean over requests that come all at once and are read r a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array
from infersim.simulation.serving.prompts import Reading
from infersim.simulation.serving.steps import MS, Served, Times

if TYPE_CHECKING:
    from infersim.engines.engine import SchedulerTable

AHEAD = 1.0
"""Prompts that are read before a request's own beside the share that the engine states; fitted to served
models (docs/serving.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes: arrays that broadcast. `steps` are decode steps of a request, a mean.

    `held` is how many requests of that kind the KV cache holds.
    """

    concurrency: Array
    steps: Array
    context: Array
    held: Array
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Prompts that are read around a request; arrays over the load.

    `step` is how many a step's budget of tokens has room for; `before` how many are read from a request's
    arrival, or from its turn where it waits, to its first token; `together` how many of those share a step;
    `beside` how many are read during one of its decode steps.
    """

    step: Array
    before: Array
    together: Array
    beside: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The steady state: arrays over the load. `first_s` is TTFT without waiting, `joules` the board's of a
    request."""

    running: Array
    reads: Reads
    step: Times
    prefill_s: Array
    prefill_share: Array
    tpot_s: Array
    first_s: Array
    waiting_s: Array
    requests_per_s: Array
    joules: Array
    log_half_width: Array

    @property
    def ttft_s(self) -> Array:
        """Waiting included."""
        total: Array = self.waiting_s + self.first_s
        return total


def steady_state(served: Served, load: Load) -> Steady:
    """Of each load; where nothing is held all is NaN."""
    engine = served.engine
    most = np.minimum(engine.scheduler.max_sequences, load.held)
    running = np.where(most < 1, np.nan, np.minimum(load.concurrency, most))
    counted = np.where(np.isnan(running), 1.0, running)
    step = served.decode(counted, np.broadcast_to(load.context, counted.shape))
    steps, once_s = load.steps, engine.host.request_ms * MS
    reads = _reads(load, counted, engine.scheduler)
    read_s = load.reading.each_s(reads.together)
    phase_s = np.where((counted > 1) & (steps > 0), step.seconds / 2, 0.0)
    life_s = steps * step.seconds + counted * read_s + phase_s + once_s
    tpot_s = step.seconds + reads.beside * read_s
    first_s = life_s - steps * tpot_s
    gone = np.isnan(running)
    rate = np.where(gone, np.nan, counted / life_s)
    share = reads.beside * read_s / tpot_s
    width = np.hypot((1 - share) * step.log_half_width, share * load.reading.width(reads.together))
    return Steady(
        running=running,
        reads=reads,
        step=step,
        prefill_s=np.where(gone, np.nan, read_s),
        prefill_share=share,
        tpot_s=np.where(gone | (steps < 1), np.nan, tpot_s),
        first_s=np.where(gone, np.nan, first_s),
        waiting_s=np.where(gone, np.nan, np.maximum(0.0, load.concurrency / rate - life_s)),
        requests_per_s=rate,
        joules=np.where(gone, np.nan, steps * step.joules / counted + load.reading.each_j(reads.together)),
        log_half_width=np.hypot(width, engine.spread.tpot),
    )


def _reads(load: Load, running: Array, scheduler: SchedulerTable) -> Reads:
    step = np.maximum(scheduler.batched_tokens - running, 1) / load.reading.prompt
    others = np.where(load.concurrency > running, 0.0, scheduler.together * running)
    most = np.where(running > step, (running + np.maximum(step, 1.0)) / 2, running)
    before = np.minimum(most, 1 + (running > 1) * (AHEAD + others))
    return Reads(
        step=step,
        before=before,
        together=np.clip(before, 1.0, np.maximum(step, 1.0)),
        beside=np.minimum((running - before) / np.maximum(load.steps, 1), step),
    )
