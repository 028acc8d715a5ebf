"""`compare_served`: what pruning buys under load, at the same concurrency and at what each plan reaches.

Three speedups, each of tokens per second over the dense model: at the same concurrency; each at the largest
concurrency that its KV cache holds and the engine runs; each at the largest that keeps targets of TPOT and
TTFT. The last two are each a product:

    speedup = faster x batch
    faster  = plan at the dense model's concurrency / dense model there       steps that take less time
    batch   = plan at its own concurrency / plan at the dense model's         more requests at once
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.domain.arrays import Array
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.numbers import number
from infersim.domain.profile import HardwareProfile
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.serving.answers import Answer, answered
from infersim.simulation.serving.columns import answer_frame
from infersim.simulation.serving.service import Service, ServiceOptions
from infersim.simulation.speedups.columns import GIB, MS
from infersim.simulation.speedups.resolving import DENSE, Gpu, Model, a_model, a_profile, as_plans, plans
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    import pandas as pd

_a_target = optional(number("milliseconds above 0", above=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Milliseconds that a service keeps; None: any."""

    tpot_ms: float | None = None
    ttft_ms: float | None = None

    @classmethod
    def of(cls, *, tpot_ms: float | None = None, ttft_ms: float | None = None) -> Targets:
        """The targets, checked: InvalidValueError for what is not above 0."""
        return cls(tpot_ms=_a_target("tpot target", tpot_ms), ttft_ms=_a_target("ttft target", ttft_ms))

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.tpot_ms is not None or self.ttft_ms is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A plan at every concurrency from 1 to the most that fits: flat arrays; empty where nothing fits."""

    answer: Answer
    concurrency: Array
    tokens_per_s: Array
    tpot_ms: Array
    ttft_ms: Array

    @property
    def title(self) -> str:
        """The plan's."""
        return self.answer.plan.title

    @property
    def most(self) -> int:
        """The most requests that fit; 0 where none does."""
        return int(self.concurrency.size)

    def keeps(self, targets: Targets) -> int:
        """The largest concurrency that keeps the targets; 0 where none does."""
        good = np.ones(self.concurrency.shape, dtype=bool)
        if targets.tpot_ms is not None:
            # Where a single token is written there is no TPOT to keep.
            good &= np.isnan(self.tpot_ms) | (self.tpot_ms <= targets.tpot_ms)
        if targets.ttft_ms is not None:
            good &= self.ttft_ms <= targets.ttft_ms
        kept = np.flatnonzero(good)
        return int(kept[-1]) + 1 if kept.size else 0

    def rate(self, concurrency: int) -> float:
        """Tokens per second there: beyond the most that fits those of the most, as the others wait."""
        if not self.most or concurrency < 1:
            return float("nan")
        return float(self.tokens_per_s[min(concurrency, self.most) - 1])

    @property
    def concurrency_asked(self) -> int:
        """The one of the service."""
        return int(self.answer.load.concurrency[0, 0])


def curve_of(answer: Answer) -> Curve:
    """Of a plan whose service has one length of requests."""
    asked = np.arange(1.0, float(answer.most[0]) + 1)
    if not asked.size:
        return Curve(answer=answer, concurrency=asked, tokens_per_s=asked, tpot_ms=asked, ttft_ms=asked)
    steady = answer.at(asked)
    return Curve(
        answer=answer,
        concurrency=asked,
        tokens_per_s=steady.requests_per_s[0] * answer.service.lengths[0].output,
        tpot_ms=steady.tpot_s[0] * MS,
        ttft_ms=steady.ttft_s[0] * MS,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnderLoad:
    """The dense model's curve and those of plans, on one GPU under one service."""

    dense: Curve
    plans: tuple[Curve, ...]
    targets: Targets

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The dense model's first."""
        return (self.dense, *self.plans)


@checked(
    model=a_model,
    several=plans,
    gpu=a_profile,
    tpot_target_ms=_a_target,
    ttft_target_ms=_a_target,
    options=as_it_is,
)
def compare_served(
    model: Model,
    several: Plan | Sequence[Plan],
    gpu: Gpu,
    *,
    tpot_target_ms: float | None = None,
    ttft_target_ms: float | None = None,
    **options: Unpack[ServiceOptions],
) -> pd.DataFrame:
    """What plans of a model buy under load: one row for the dense model and one for each plan.

    The columns of `serve`, all at that concurrency, and `speedup` (tokens per second over the dense model's);
    `most_concurrency most_tokens_per_s most_speedup most_faster most_batch`: each at its own most;
    `target_concurrency target_tokens_per_s target_speedup target_faster target_batch`: each at the most that
    keeps the targets (NaN without, and where none does); `step_speedup prefill_speedup memory_freed_gib` (of
    weights and activations).

    Parameters
    ----------
    model
        A name (`infersim models`), a path to a config or checkpoint, or a ready model.
    several
        What `prune` made of that model, one plan or several.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile.
    tpot_target_ms, ttft_target_ms
        What a service keeps; None: any.
    **options
        See `ServiceOptions`; one length of requests, and one concurrency.

    Returns
    -------
    DataFrame
        One row for the dense model and one for each plan.

    Raises
    ------
    InfersimError
        Where nothing fits.
    InvalidValueError
        Where no concurrency keeps a target: it names the best that is reached.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = sim.prune("qwen3-8b", "static-m", sparsity=0.25)
    >>> frame = sim.compare_served(
    ...     "qwen3-8b", plan, "h100-sxm", prompt=1000, output=200, concurrency=8, price_per_hour=3.0
    ... )
    >>> bool(frame["price_per_million"].iloc[1] < frame["price_per_million"].iloc[0])
    True
    """
    targets = Targets(tpot_ms=tpot_target_ms, ttft_ms=ttft_target_ms)
    service = Service.of(**options)
    found = under_load(model, as_plans(model, several), gpu, service, targets)  # type: ignore[arg-type]
    return under_load_frame(found)


def under_load(
    model: Transformer,
    several: Sequence[Plan],
    gpu: HardwareProfile,
    service: Service,
    targets: Targets,
) -> UnderLoad:
    """Curves of the dense model and of plans; errors as in `compare_served`."""
    if len(service.lengths) != 1:
        raise InvalidValueError("prompt", len(service.lengths), "one length of requests under load")
    if len(service.concurrency) > 1:
        raise InvalidValueError("concurrency", service.concurrency, "one number of requests under load")
    base = Plan(base=model, transformer=model, name=DENSE)
    if not service.concurrency:
        # The dense model's most; where it does not fit at all, that of the plan that holds most.
        most = [int(answered(plan, gpu, service).most[0]) for plan in (base, *several)]
        service = replace(service, concurrency=(most[0] or max(1, *most),))
    dense = curve_of(answered(base, gpu, service))
    curves = tuple(curve_of(answered(plan, gpu, service)) for plan in several)
    if not any(curve.most for curve in (dense, *curves)):
        from infersim.simulation.serving.fitting_in import missing_text

        tokens = sum(service.lengths[0].longest())
        raise InfersimError(f"nothing fits: {missing_text(model, gpu, service, tokens)}")
    found = UnderLoad(dense=dense, plans=curves, targets=targets)
    _check_targets(found)
    return found


def _check_targets(found: UnderLoad) -> None:
    """Refuse targets that nothing reaches, with the best that is."""
    targets = found.targets
    if not targets.any or any(curve.keeps(targets) for curve in found.curves):
        return
    able = [curve for curve in found.curves if curve.most]
    wanted = {"tpot": targets.tpot_ms, "ttft": targets.ttft_ms}
    for name, value in wanted.items():
        if value is None:
            continue
        best = min(able, key=lambda curve: float(getattr(curve, f"{name}_ms")[0]))
        reached = float(getattr(best, f"{name}_ms")[0])
        if reached > value:
            raise InvalidValueError(
                f"{name} target",
                value,
                f"at least {reached:.4g} ms, the best that is reached ({best.title}, one request at a time)",
            )
    expected = "targets that one concurrency keeps both"
    raise InvalidValueError("tpot and ttft targets", (targets.tpot_ms, targets.ttft_ms), expected)


@marks(FrameKind.COMPARE_SERVED)
def under_load_frame(found: UnderLoad) -> pd.DataFrame:
    """The frame of `compare_served`."""
    import pandas as pd

    frames = [answer_frame(curve.answer) for curve in found.curves]
    rows = [_row(found, curve) for curve in found.curves]
    return pd.concat([pd.concat(frames, ignore_index=True), pd.DataFrame(rows)], axis=1)


def _row(found: UnderLoad, curve: Curve) -> dict[str, Any]:
    """What is said beside the columns of `serve`."""
    answer, dense = curve.answer, found.dense.answer
    used, dense_used = (each.memory.weights_bytes + each.memory.activations_bytes for each in (answer, dense))
    steps, dense_steps = (float(each.steady.step.seconds[0, 0]) for each in (answer, dense))
    reads, dense_reads = (float(each.steady.prefill_s[0, 0]) for each in (answer, dense))
    rate, dense_rate = (float(each.steady.requests_per_s[0, 0]) for each in (answer, dense))
    return {
        "speedup": rate / dense_rate,
        **_at_own(found, curve, "most", found.dense.most, curve.most),
        **_at_own(found, curve, "target", *_kept(found, curve)),
        "step_speedup": dense_steps / steps,
        "prefill_speedup": dense_reads / reads,
        "memory_freed_gib": (dense_used - used) / GIB,
    }


def _kept(found: UnderLoad, curve: Curve) -> tuple[int, int]:
    targets = found.targets
    return (found.dense.keeps(targets), curve.keeps(targets)) if targets.any else (0, 0)


def _at_own(found: UnderLoad, curve: Curve, name: str, dense_own: int, own: int) -> dict[str, float]:
    """The columns of one comparison, the dense model at its own concurrency and the plan at its own."""
    dense_rate, plan_there = found.dense.rate(dense_own), curve.rate(dense_own)
    rate = curve.rate(own)
    return {
        f"{name}_concurrency": own,
        f"{name}_tokens_per_s": rate,
        f"{name}_speedup": rate / dense_rate,
        f"{name}_faster": plan_there / dense_rate,
        f"{name}_batch": rate / plan_there,
    }
