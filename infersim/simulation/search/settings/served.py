"""The setting of a service: what entries add to a step, to reading a prompt, and so to TPOT, TTFT and rates.

With the number of running requests fixed, all of them are linear in the seconds of kernels
(`serving.closed_form`): the tables below are exact where kernels, and not the host, bound a step, and TTFT is
so to a few percent, as how many prompts are read before it depends on the step. Where a plan lets more
requests run, its table is laid anew at its own number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.profile import HardwareProfile
from infersim.domain.shapes import Phase
from infersim.pruning.plan import Plan
from infersim.simulation.search.settings.costs import Entries, Quantity, block_bytes, pass_costs
from infersim.simulation.search.settings.scenarios import Predicted
from infersim.simulation.search.settings.targets import Goal, Targets
from infersim.simulation.serving.answers import Answer, answered
from infersim.simulation.serving.closed_form import steps_waited
from infersim.simulation.serving.columns import HOUR_S, MILLION
from infersim.simulation.serving.fitting_in import missing_text
from infersim.simulation.serving.prompts import TOGETHER
from infersim.simulation.serving.service import Service
from infersim.simulation.serving.steps import chunked
from infersim.simulation.speedups.case_timings import case_timings
from infersim.simulation.speedups.cases import phase_case
from infersim.simulation.speedups.chain import ratio_half_width
from infersim.simulation.speedups.columns import GIB, MS
from infersim.simulation.timing.passes import Pass
from infersim.workload.scenario import Execution, Scenario
from infersim.workload.transformer import Transformer

STEP, PROMPT, TPOT, TTFT, REQUEST, MEMORY = (
    "step_ms",
    "prompt_ms",
    "tpot_ms",
    "ttft_ms",
    "request_ms",
    "memory_gib",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InService:
    """A service with one length of requests at one concurrency."""

    model: Transformer
    profile: HardwareProfile
    service: Service
    dense: Answer

    @classmethod
    def of(cls, model: Transformer, profile: HardwareProfile, service: Service) -> InService:
        """The setting of a service; errors where it has several loads, or the dense model does not fit."""
        if len(service.lengths) != 1:
            raise InvalidValueError("prompt", len(service.lengths), "one length of requests in a search")
        if len(service.concurrency) > 1:
            raise InvalidValueError("concurrency", service.concurrency, "one number of requests in a search")
        dense = answered(Plan(base=model, transformer=model), profile, service)
        if dense.most[0] < 1:
            tokens = sum(service.lengths[0].longest())
            why = missing_text(model, profile, service, tokens)
            raise InfersimError(f"the dense model does not fit: {why}")
        return cls(model=model, profile=dense.profile, service=dense.service, dense=dense)

    @property
    def lead(self) -> tuple[str, ...]:
        """The time of a request, whose inverse is the rate."""
        return (REQUEST,)

    @property
    def gpus(self) -> int:
        """GPUs that share the model."""
        return self.service.gpus

    @property
    def expert_parallel(self) -> bool:
        """Whether each of them has whole experts."""
        return self.service.execution.expert_parallel

    def answer(self, plan: Plan) -> Answer:
        """What the service says of a plan, at the dense model's concurrency."""
        if plan.transformer == self.model:
            return self.dense
        return answered(plan, self.profile, self.service)

    def measures(self, entries: Entries, at: Plan | None) -> Mapping[str, Quantity]:
        """The measures with as many requests running as `at` has."""
        answer = self.dense if at is None else self.answer(at)
        step, prompt = self._step(entries, answer), self._prompt(entries, answer)
        point = _Point.of(answer)
        return {
            STEP: step,
            PROMPT: prompt,
            TPOT: _sum(step, prompt, 1.0, point.beside, point.step_extra_ms),
            REQUEST: _sum(
                step,
                prompt,
                point.steps + point.phase,
                point.running,
                (point.steps + point.phase) * point.step_extra_ms + point.once_ms,
            ),
            TTFT: _sum(
                step,
                prompt,
                point.phase + point.waits * (point.steps + point.phase),
                point.running - point.steps * point.beside + point.waits * point.running,
                (1 + point.waits) * (point.phase * point.step_extra_ms + point.once_ms)
                + point.waits * point.steps * point.step_extra_ms,
            ),
            MEMORY: self._memory(entries, answer),
        }

    def step_scenario(self, answer: Answer) -> Scenario:
        """A decode step of as many requests as `answer` says, as the engine runs it."""
        batch = np.maximum(1.0, np.round(answer.steady.running[0]))
        context = np.maximum(1.0, np.round(answer.load.context[0]))
        return self._scenario(Phase.DECODE, batch, context)

    def _scenario(self, phase: Phase, batch: Array, context: Array, cached: Array | float = 0.0) -> Scenario:
        return Scenario(phase=phase, batch=batch, context=context, cached=cached, execution=self._execution)

    def _step(self, entries: Entries, answer: Answer) -> Quantity:
        """Milliseconds of kernels of a decode step."""
        costs, _ = pass_costs(entries, (Pass(scenario=self.step_scenario(answer)),), self.profile)
        return costs.seconds.of_scenario(0, MS)

    def _prompt(self, entries: Entries, answer: Answer) -> Quantity:
        """Milliseconds of kernels to read a prompt, where as many are read together as `answer` says."""
        lengths = self.service.lengths[0]
        points, shares = lengths.prompt_points()
        low, share_above = _between(_Point.of(answer).together)
        together = np.array([TOGETHER[low], TOGETHER[low + 1]])
        weights = np.array([1 - share_above, share_above])
        prompt, grid = (each.ravel() for each in np.meshgrid(points, together, indexing="ij"))
        weight = np.outer(shares, weights).ravel()
        cached = lengths.found(prompt)
        cuts = chunked(prompt - cached, grid, self.service.engine.scheduler)
        chunks, pieces = cuts.chunks, cuts.pieces
        before = np.where(pieces > 1, 0.0, cached)
        read = self._scenario(Phase.PREFILL, cuts.batch, cuts.tokens + before, before)
        costs, _ = pass_costs(entries, (Pass(scenario=read),), self.profile)
        factor = weight * chunks / grid * MS
        values, remainder = costs.seconds.values @ factor, costs.seconds.remainder @ factor
        if (pieces > 1).any():
            whole_read = self._scenario(Phase.PREFILL, np.ones_like(prompt), prompt, cached)
            whole, _ = pass_costs(entries, (Pass(scenario=whole_read),), self.profile)
            cut = (pieces > 1) * weight * MS
            pieced = cut * chunks / grid
            values += whole.attention_s.values @ cut - costs.attention_s.values @ pieced
            remainder += whole.attention_s.remainder @ cut - costs.attention_s.remainder @ pieced
        return Quantity(values=values, remainder=remainder)

    def _memory(self, entries: Entries, answer: Answer) -> Quantity:
        """GiB of weights, of the running requests' cache, and in the remainder of all else, on one GPU."""
        memory, running = answer.memory, float(answer.steady.running[0, 0])
        block = self.service.engine.memory.block_tokens
        context = np.ceil(answer.load.context[0] / block) * block
        scenario = self._scenario(Phase.DECODE, np.ones(1), context)
        found = block_bytes(entries, scenario, (1,), running)[:, 0]
        dense = self.dense.memory
        cached = running * float(dense.cache_of(answer.load.context[0])[0])
        total = dense.weights_bytes + memory.activations_bytes + memory.reserve_bytes + cached
        return entries.quantity(found / GIB, np.asarray(total / GIB))

    def predicted(self, plans: Sequence[Plan], targets: Targets) -> list[Predicted]:
        """What the service says of plans."""
        return [self._predicted(plan, targets) for plan in plans]

    def _predicted(self, plan: Plan, targets: Targets) -> Predicted:
        answer, dense = self.answer(plan), self.dense
        steady, output = answer.steady, self.service.lengths[0].output
        rate, dense_rate = (float(each.steady.requests_per_s[0, 0]) for each in (answer, dense))
        speedup, width = rate / dense_rate, self._ratio_width(plan, answer)
        tpot, ttft = float(steady.tpot_s[0, 0]) * MS, float(steady.ttft_s[0, 0]) * MS
        tpot_width, ttft_width = float(steady.log_half_width[0, 0]), self.service.engine.spread.ttft
        memory = answer.memory
        used = memory.weights_bytes + memory.activations_bytes + memory.reserve_bytes
        cached = float(steady.running[0, 0]) * float(memory.cache_of(answer.load.context[0])[0])
        hourly = self.service.price_per_hour
        price = None if hourly is None else self.service.gpus * hourly
        values = {
            "speedup": (REQUEST, speedup, width),
            "tpot_ms": (TPOT, tpot, tpot_width),
            "ttft_ms": (TTFT, ttft, ttft_width),
            "memory_gib": (MEMORY, (used + cached) / GIB, 0.0),
            "price_per_million": (
                REQUEST,
                float("nan") if price is None else price / HOUR_S / (rate * output) * MILLION,
                tpot_width,
            ),
        }
        goals = [
            Goal(
                measure=values[name][0],
                target=name,
                limit=limit,
                value=values[name][1],
                half_width=values[name][2],
                higher=name == "speedup",
            )
            for name, limit in targets.named.items()
        ]
        return Predicted(
            plan=plan,
            goals=tuple(goals),
            columns={
                "tpot_ms": tpot,
                "ttft_ms": ttft,
                "tokens_per_s": rate * output,
                "running": float(steady.running[0, 0]),
                "memory_gib": (used + cached) / GIB,
                "price_per_million": values["price_per_million"][1],
            },
            lead=speedup,
            lead_lower=speedup * float(np.exp(-width)),
            lead_upper=speedup * float(np.exp(width)),
            fits_memory=bool(answer.most[0] >= 1),
        )

    @property
    def _execution(self) -> Execution:
        """As the engine runs it on this GPU."""
        return self.service.execution

    def _ratio_width(self, plan: Plan, answer: Answer) -> float:
        """80 % half-width of the log speedup: that of the ratio of the two decode steps' kernels."""
        batch = np.maximum(1.0, np.round(answer.steady.running))
        context = np.maximum(1.0, np.round(answer.load.context))
        case = phase_case(Phase.DECODE, batch, context, self._execution)
        timings = next(case_timings(self.model, [plan], (self.profile,), [case]))
        return float(ratio_half_width(timings.dense, timings.pruned[0]).ravel()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Where a service stands: the coefficients of its closed form."""

    running: float
    steps: float
    beside: float
    together: float
    phase: float
    waits: float
    step_extra_ms: float
    once_ms: float

    @classmethod
    def of(cls, answer: Answer) -> _Point:
        engine, load = answer.service.engine, answer.load
        running = float(answer.steady.running[0, 0])
        steps, asked = float(load.steps[0, 0]), float(load.concurrency[0, 0])
        reads = answer.steady.reads
        return cls(
            running=running,
            steps=steps,
            beside=float(reads.beside[0, 0]),
            together=float(reads.together[0, 0]),
            phase=float(steps_waited(load, answer.steady.running, engine.scheduler)[0, 0]),
            waits=max(0.0, asked / running - 1),
            step_extra_ms=engine.host.step_ms + engine.host.sequence_us * running * 1e-3,
            once_ms=float(answer.steady.once_s[0, 0]) * MS,
        )


def _between(together: float) -> tuple[int, float]:
    """The place below a number of prompts among TOGETHER, and the share of the one above."""
    place = float(np.clip(np.log2(max(together, 1.0)), 0, len(TOGETHER) - 1))
    low = min(int(place), len(TOGETHER) - 2)
    return low, place - low


def _sum(step: Quantity, prompt: Quantity, steps: float, prompts: float, extra_ms: float) -> Quantity:
    return Quantity(
        values=steps * step.values + prompts * prompt.values,
        remainder=np.asarray(steps * step.remainder + prompts * prompt.remainder + extra_ms),
    )


def check_service_targets(targets: Targets, service: Service) -> None:
    """Refuse targets that a service does not have."""
    if targets.latency_ms is not None:
        raise InvalidValueError(
            "target_latency_ms", targets.latency_ms, "none with a service: target_tpot_ms or target_ttft_ms"
        )
    if targets.price_per_million is not None and service.price_per_hour is None:
        raise InvalidValueError("price_per_hour", None, "what the GPU costs, beside a target of price")
    if targets.tpot_ms is not None and service.lengths[0].output <= 1:
        raise InvalidValueError("target_tpot_ms", targets.tpot_ms, "none where one token is written")
