"""An engine's scheduler, event by event: requests come, wait for memory, are read in chunks, and write.

It checks the closed form, and gives what that cannot: percentiles, and requests that come at a rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from infersim.simulation.serving.step_table import StepTable

if TYPE_CHECKING:
    from infersim.engines.engine import SchedulerTable


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """A request on its way. `new` tokens of its prompt are computed, which takes `read_s`; anew where it was
    preempted."""

    prompt: int
    new: int
    output: int
    read_s: float
    came_s: float
    done: Any
    to_read: int
    written: int = 0
    first_s: float = 0.0
    last_s: float = 0.0

    @property
    def context(self) -> int:
        """Tokens that are cached once it is read."""
        return self.prompt + self.written


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the scheduler keeps to: the engine's table, bytes of cache, those of a sequence of so many blocks,
    and tokens of a block.

    `sharing`: what a prompt takes in a step that reads 1, 2, 3... of them, over one that reads it alone.
    """

    table: SchedulerTable
    cache_bytes: float
    bytes_of: list[float]
    block_tokens: int
    sharing: list[float]

    def held(self, request: Running) -> float:
        """Bytes of cache that a request takes, or is let in for, in whole blocks."""
        whole = self.table.admits == "whole"
        tokens = request.prompt + request.output if whole else request.context + 1
        return self.bytes_of[ceil(tokens / self.block_tokens)]


@dataclass(slots=True, kw_only=True, eq=False)
class Scheduler:
    """The state of the engine: who waits, and who runs in the order of admission."""

    environment: Any
    steps: StepTable
    rules: Rules
    waiting: deque[Running] = field(default_factory=deque)
    running: list[Running] = field(default_factory=list)
    finished: list[Running] = field(default_factory=list)
    busy_s: float = 0.0
    running_s: float = 0.0
    tokens: int = 0
    awake: Any = None

    def submit(self, request: Running) -> None:
        """A request has come."""
        self.waiting.append(request)
        if self.awake is not None and not self.awake.triggered:
            self.awake.succeed()

    def run(self) -> Generator[Any, Any, None]:
        """The engine's loop, a process of simpy: step after step, asleep where nothing is to do."""
        while True:
            self._make_room()
            self._admit()
            if not self.running:
                self.awake = self.environment.event()
                yield self.awake
                continue
            seconds, writing, reading = self._planned()
            yield self.environment.timeout(seconds)
            self.busy_s += seconds
            self.running_s += seconds * len(self.running)
            self._advance(writing, reading)

    def _free(self) -> float:
        return self.rules.cache_bytes - sum(map(self.rules.held, self.running))

    def _make_room(self) -> None:
        """Put off the latest where the cache is full; what it has written is read with its prompt."""
        while len(self.running) > 1 and self._free() < 0:
            latest = self.running.pop()
            latest.to_read = latest.context - (latest.prompt - latest.new)
            self.waiting.appendleft(latest)

    def _admit(self) -> None:
        free = self._free()
        while self.waiting and len(self.running) < self.rules.table.max_sequences:
            needed = self.rules.held(self.waiting[0])
            if needed > free and self.running:
                return
            free -= needed
            self.running.append(self.waiting.popleft())

    def _planned(self) -> tuple[float, list[Running], list[tuple[Running, int]]]:
        """Seconds of the next step, who writes in it, and which tokens of whose prompts it reads."""
        writing = [request for request in self.running if not request.to_read]
        if not self.rules.table.mixes and len(writing) < len(self.running):
            writing = []  # whoever writes waits until all prompts are read
        budget = self.rules.table.batched_tokens - len(writing)
        reading = []
        seconds = 0.0
        if writing:
            context = sum(request.context for request in writing) / len(writing)
            seconds = self.steps.decode_s(len(writing), context)
        for request in self.running:
            if request.to_read and budget > 0:
                tokens = min(budget, request.to_read)
                budget -= tokens
                reading.append((request, tokens))
        share = self.rules.sharing[min(len(reading), len(self.rules.sharing)) - 1] if reading else 1.0
        read_s = sum(request.read_s * tokens / request.new for request, tokens in reading)
        return seconds + share * read_s, writing, reading

    def _advance(self, writing: list[Running], reading: list[tuple[Running, int]]) -> None:
        now = float(self.environment.now)
        wrote = list(writing)
        for request, tokens in reading:
            request.to_read -= tokens
            if not request.to_read:
                wrote.append(request)
        self.tokens += len(wrote)
        for request in wrote:
            if not request.written:
                request.first_s = now
            request.written += 1
            if request.written >= request.output:
                request.last_s = now
                self.running.remove(request)
                self.finished.append(request)
                request.done.succeed()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coming:
    """Requests to serve, in order: lengths, tokens of each prompt that are computed and seconds that this
    takes, and those before each is queued."""

    prompts: np.ndarray
    outputs: np.ndarray
    new: np.ndarray
    read_s: np.ndarray
    once_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ran:
    """What became of the requests after the first ones: flat arrays in the order of their ends."""

    ttft_s: np.ndarray
    tpot_s: np.ndarray
    outputs: np.ndarray
    tokens_per_s: float
    requests_per_s: float
    running: float


def run_closed(
    steps: StepTable, rules: Rules, coming: Coming, concurrency: int, spread_s: float, together: float
) -> Ran:
    """So many clients, each of which sends a request when its last is answered.

    They begin within `spread_s`, so many of them together on average, as services find their clients: equal
    requests that are read in one step end in one step. The first answers of all clients are no part of the
    figures.
    """
    environment = simpy.Environment()
    scheduler = Scheduler(environment=environment, steps=steps, rules=rules)
    places = iter(range(len(coming.prompts)))
    begins = beginnings(concurrency, together)

    def client(number: int) -> Generator[Any, Any, None]:
        yield environment.timeout(spread_s * begins[number] / concurrency)
        for place in places:
            request = _request(environment, coming, place)
            yield environment.timeout(coming.once_s)
            scheduler.submit(request)
            yield request.done

    for number in range(concurrency):
        environment.process(client(number))
    return _ran(environment, scheduler, len(coming.prompts), concurrency)


def beginnings(clients: int, together: float) -> list[int]:
    """The first client of the group that each client begins with.

    A group has as many clients as the whole number below `together`, or one more: `together` is the size of a
    client's group in the mean over clients.
    """
    small, share = int(together), together % 1
    begins: list[int] = []
    in_large = 0
    while len(begins) < clients:
        large = in_large < share * (len(begins) + 1)
        size = small + large
        in_large += size * large
        begins += [len(begins)] * min(size, clients - len(begins))
    return begins


def run_open(steps: StepTable, rules: Rules, coming: Coming, gaps_s: np.ndarray, first: int) -> Ran:
    """Requests that come with these gaps, whatever is answered; the first ones are no part of the figures."""
    environment = simpy.Environment()
    scheduler = Scheduler(environment=environment, steps=steps, rules=rules)

    def arrivals() -> Generator[Any, Any, None]:
        for place, gap in enumerate(gaps_s):
            yield environment.timeout(float(gap))
            environment.process(sent(place))

    def sent(place: int) -> Generator[Any, Any, None]:
        request = _request(environment, coming, place)
        yield environment.timeout(coming.once_s)
        scheduler.submit(request)

    environment.process(arrivals())
    return _ran(environment, scheduler, len(coming.prompts), first)


def _request(environment: Any, coming: Coming, place: int) -> Running:
    prompt, new = int(coming.prompts[place]), int(coming.new[place])
    return Running(
        prompt=prompt,
        new=new,
        output=int(coming.outputs[place]),
        read_s=float(coming.read_s[place]),
        came_s=float(environment.now),
        done=environment.event(),
        to_read=new,
    )


def _ran(environment: Any, scheduler: Scheduler, requests: int, first: int) -> Ran:
    """Run until all but the last wave are answered.

    Rates count what ended after the first ones did, together with them or not: requests end in groups.
    """
    environment.process(scheduler.run())
    begun_s, before = 0.0, 0
    end = max(first + 1, requests - first)
    while len(scheduler.finished) < end and environment.peek() < float("inf"):
        environment.step()
        if before < first and len(scheduler.finished) > before:
            begun_s, scheduler.busy_s, scheduler.running_s = float(environment.now), 0.0, 0.0
            scheduler.tokens = 0
            before = len(scheduler.finished)
    measured, ended = scheduler.finished[first:end], scheduler.finished[before:]
    took_s = max(float(environment.now) - begun_s, 1e-12)
    outputs = np.array([each.output for each in measured], dtype=np.float64)
    steps = np.maximum(outputs - 1, 1)
    return Ran(
        ttft_s=np.array([each.first_s - each.came_s for each in measured]),
        tpot_s=np.array([each.last_s - each.first_s for each in measured]) / steps,
        outputs=outputs,
        tokens_per_s=scheduler.tokens / took_s,
        requests_per_s=len(ended) / took_s,
        running=scheduler.running_s / scheduler.busy_s if scheduler.busy_s else 0.0,
    )
