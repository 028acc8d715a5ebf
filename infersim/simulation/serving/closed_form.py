"""Continuous batching in closed form: a fixed number of requests in the system, each answered by another.

With B requests running of C in the system, a decode step of t seconds at the mean context, P seconds to read
a prompt (its share of a step that reads b of them) and n = written - 1 decode steps a request:

    life   L = n t + B P + w t + once     every running request sees its own steps and all B prompts read
    rate   X = B / L
    TPOT     = t + min((B - b) / n, r) P    b prompts are read before the first token, its own too
    first    = L - n TPOT                   which is once + w t + b P where r does not bind
    waiting  = C / X - L                    where fewer run than are there (Little's law)
    TTFT     = waiting + first

r is how many prompts the engine's budget of tokens lets into a step. B is the least of C, the engine's most
sequences and what the KV cache holds.

w: a request that comes waits for half of the step in progress, and where steps mix prompts and decodes it
is read in one in which others write: 1 1/2, else 1/2. One alone waits for nothing, and one that has waited
for memory is let in as a step ends: w is 1 or 0, and `once` has passed. Where nobody writes more than a
token, `once` also passes while the prompts of others are read, but for those that come with it.

b: a life has n + 1 steps and those that pass before a request is let in, v = once / t, at least the one in
progress; v is 0 after waiting for memory. Each of them reads s = (B - 1) / (n + 1 + v) prompts of others,
so that v s are read before a request is let in. With it come max(together alike (B - 1), s) others:
requests that write as much end together, and so their successors come together; alike is the share of such
(`Lengths.alike`). Where steps mix prompts and decodes, waiting for memory takes them apart again: B / C of
them. A group of g is read in one step, or r a step, on average after (g + r) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infersim.domain.arrays import Array
from infersim.simulation.serving.prompts import Reading
from infersim.simulation.serving.steps import S_PER_MS, Served, Times

if TYPE_CHECKING:
    from infersim.engines.engine import Engine, SchedulerTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes: arrays that broadcast. `steps` are decode steps of a request, a mean.

    `alike` is the share of other requests that write as much as one does. `held` is how many requests of that
    kind the KV cache holds.
    """

    concurrency: Array
    steps: Array
    context: Array
    alike: Array
    held: Array
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Prompts that are read around a request; arrays over the load.

    `step` is how many a step's budget of tokens has room for; `before` how many are read from a request's
    arrival, or from its turn where it waits, to its first token, `group` those of them that come together;
    `together` is how many share a step, `beside` how many are read during one of its decode steps.
    """

    step: Array
    before: Array
    group: Array
    together: Array
    beside: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The steady state: arrays over the load. `first_s` is TTFT without waiting, of which `once_s` comes once
    whatever the steps take; `joules` the board's of a request."""

    running: Array
    reads: Reads
    step: Times
    prefill_s: Array
    prefill_share: Array
    tpot_s: Array
    first_s: Array
    once_s: Array
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
    steps = load.steps
    reads = _reads(load, counted, engine, step.seconds)
    read_s = load.reading.each_s(reads.together)
    unseen_s = np.where(steps < 1, (counted - np.minimum(reads.group, counted)) * read_s, 0.0)
    once_s = np.where(
        load.concurrency > counted, 0.0, np.maximum(0.0, engine.host.request_ms * S_PER_MS - unseen_s)
    )
    waited_s = steps_waited(load, counted, engine.scheduler) * step.seconds
    life_s = steps * step.seconds + counted * read_s + waited_s + once_s
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
        once_s=once_s,
        waiting_s=np.where(gone, np.nan, np.maximum(0.0, load.concurrency / rate - life_s)),
        requests_per_s=rate,
        joules=np.where(gone, np.nan, steps * step.joules / counted + load.reading.each_j(reads.together)),
        log_half_width=np.hypot(width, engine.spread.tpot),
    )


def steps_waited(load: Load, running: Array, scheduler: SchedulerTable) -> Array:
    """Decode steps of others between a request's arrival, or its turn, and its first token: w above."""
    in_progress = np.where(load.concurrency > running, 0.0, 0.5)
    return np.where((running > 1) & (load.steps > 0), in_progress + float(scheduler.mixes), 0.0)


def _reads(load: Load, running: Array, engine: Engine, step_s: Array) -> Reads:
    scheduler, others = engine.scheduler, running - 1
    room = np.maximum(scheduler.batched_tokens - running, 1) / load.reading.new
    pass_by = np.maximum(1.0, engine.host.request_ms * S_PER_MS / step_s)
    passed = np.where(load.concurrency > running, 0.0, pass_by)
    each = others / (load.steps + 1 + passed)
    company = scheduler.together * load.alike * others
    apart = load.concurrency / running if scheduler.mixes else 1.0
    group = 1 + np.maximum(company / apart, each)
    at_once = np.maximum(room, 1.0)
    before = np.minimum(_in_turn(group, at_once) + passed * each, _in_turn(running, at_once))
    return Reads(
        step=room,
        before=before,
        group=group,
        together=np.minimum(1 + np.maximum(company, each), at_once),
        beside=np.minimum((running - before) / np.maximum(load.steps, 1), room),
    )


def _in_turn(several: Array, at_once: Array) -> Array:
    """How many of several prompts are read before one is, itself included, on average."""
    return np.where(several > at_once, (several + at_once) / 2, several)
