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
(together is 0). How many do is the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infersim.domain.arrays import Array
from infersim.simulation.serving.prompts import Reading
from infersim.simulation.serving.steps import MS, Served, Times

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
class Steady:
    """The steady state: arrays over the load. `first_s` is TTFT without waiting, `joules` the board's of a
    request."""

    running: Array
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
    before = prompts_read(counted, load.concurrency > counted, engine.scheduler.together)
    room = np.maximum(engine.scheduler.batched_tokens - counted, 1) / load.reading.prompt
    together = np.clip(before, 1.0, np.maximum(room, 1.0))
    read_s = load.reading.each_s(together)
    phase_s = np.where((counted > 1) & (steps > 0), step.seconds / 2, 0.0)
    life_s = steps * step.seconds + counted * read_s + phase_s + once_s
    beside = np.minimum((counted - before) / np.maximum(steps, 1), room)
    tpot_s = step.seconds + beside * read_s
    first_s = life_s - steps * tpot_s
    gone = np.isnan(running)
    rate = np.where(gone, np.nan, counted / life_s)
    share = beside * read_s / tpot_s
    width = np.hypot((1 - share) * step.log_half_width, share * load.reading.width(together))
    return Steady(
        running=running,
        step=step,
        prefill_s=np.where(gone, np.nan, read_s),
        prefill_share=share,
        tpot_s=np.where(gone | (steps < 1), np.nan, tpot_s),
        first_s=np.where(gone, np.nan, first_s),
        waiting_s=np.where(gone, np.nan, np.maximum(0.0, load.concurrency / rate - life_s)),
        requests_per_s=rate,
        joules=np.where(gone, np.nan, steps * step.joules / counted + load.reading.each_j(together)),
        log_half_width=np.hypot(width, engine.spread.tpot),
    )


def prompts_read(running: Array, waits: npt.NDArray[np.bool_], together: float) -> Array:
    """Prompts read from a request's arrival, or where it `waits` from its turn, to its first token."""
    others = np.where(waits, 0.0, together * running)
    found: Array = np.minimum(running, 1 + (running > 1) * (AHEAD + others))
    return found
