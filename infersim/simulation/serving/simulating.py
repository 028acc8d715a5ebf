"""`simulate_serving`: services event by event, with percentiles, at a concurrency or a rate of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from infersim.domain.arguments import as_it_is, checked, one_or_several, optional
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.numbers import count, number
from infersim.domain.profile import HardwareProfile
from infersim.pruning.composition import a_model_or_plan
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.serving.answers import Answer, answered
from infersim.simulation.serving.columns import answer_frame
from infersim.simulation.serving.lengths import Lengths
from infersim.simulation.serving.prompts import TOGETHER
from infersim.simulation.serving.scheduler import Coming, Ran, Rules, run_closed, run_open
from infersim.simulation.serving.service import Service, ServiceOptions
from infersim.simulation.serving.step_table import step_table
from infersim.simulation.speedups.columns import MS
from infersim.simulation.speedups.resolving import Gpu, Model, as_plan, as_profiles, profiles

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 6
"""Requests of each client, where nothing is said; the first and the last are no part of the figures."""

LEAST = 200
"""Requests at least, where nothing is said."""

MOST = 200_000
"""Most requests that a service is simulated with: 3 s for answers of 8 tokens, longer for longer ones."""

PERCENTILES = (50, 90, 99)

NOT_COUNTED = (
    *("ttft_lower_ms", "ttft_upper_ms", "tpot_lower_ms", "tpot_upper_ms", "queue_ms", "price_per_million"),
    *("energy_j_per_token", "energy_lower_j_per_token", "energy_upper_j_per_token"),
    *("energy_j_per_request", "watts"),
)
"""Columns of `serve` that are left unknown."""


_A_RATE = optional(number("requests each second, above 0", above=0.0))
_SO_MANY = optional(count(MOST, low=10))


@checked(
    model_or_plan=one_or_several(a_model_or_plan, called="model or plan"),
    gpu=profiles,
    rate=_A_RATE,
    requests=_SO_MANY,
    seed=count(2**31, low=0),
    options=as_it_is,
)
def simulate_serving(
    model_or_plan: Model | Plan | Sequence[Model | Plan],
    gpu: Gpu | Sequence[Gpu],
    *,
    rate: float | None = None,
    requests: int | None = None,
    seed: int = 0,
    **options: Unpack[ServiceOptions],
) -> pd.DataFrame:
    """Serve requests one by one: one row for each length and concurrency, as in `serve`.

    With a `rate` requests come at random. Options and columns are those of `serve`, whose
    `ttft_ms tpot_ms tokens_per_s tokens_per_s_per_gpu requests_per_s running` are here what was counted,
    without intervals, energy and price; and `rate`, `ttft_p50_ms ttft_p90_ms ttft_p99_ms` and the same of
    TPOT.

    Parameters
    ----------
    model_or_plan
        A model as in `predict`, or a plan of `prune`; or several of them.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    rate
        Requests each second, in place of a concurrency.
    requests
        How many are served. Left out: six for each client, and at least 200.
    seed
        Draws when requests come and how long they are.
    **options
        See `ServiceOptions`.

    Returns
    -------
    DataFrame
        One row for each length and concurrency.

    Raises
    ------
    InfersimError
        What `serve` raises, and for a rate that the service cannot keep up with.

    References
    ----------
    .. [1] G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models", OSDI
       2022: requests join and leave between steps.
    .. [2] A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve",
       arXiv:2403.02310: prompts in chunks beside decode.

    Examples
    --------
    >>> import infersim as sim
    >>> load = {"prompt": 100, "output": 20, "concurrency": 4, "requests": 20}
    >>> frame = sim.simulate_serving("llama-3.2-1b", "l4", **load)
    >>> bool(frame["ttft_p99_ms"].iloc[0] >= frame["ttft_p50_ms"].iloc[0])
    True
    """
    several = model_or_plan if isinstance(model_or_plan, tuple) else (model_or_plan,)
    plans = [as_plan(each) for each in several]
    service = Service.of(**options)
    return simulated_frame(plans, as_profiles(gpu), service, rate=rate, requests=requests, seed=seed)


@marks(FrameKind.SERVE)
@checked(plans=as_it_is, gpus=as_it_is, service=as_it_is, rate=_A_RATE, requests=_SO_MANY, seed=as_it_is)
def simulated_frame(
    plans: Sequence[Plan],
    gpus: Sequence[HardwareProfile],
    service: Service,
    *,
    rate: float | None,
    requests: int | None,
    seed: int,
) -> pd.DataFrame:
    """The frame of `simulate_serving`."""
    import pandas as pd

    service.check_room(plans=len(plans), gpus=len(gpus))
    frames = []
    for gpu in gpus:
        for plan in plans:
            answer = answered(plan, gpu, service)
            frame = answer_frame(answer)
            if not frame["fits_memory"].all():
                raise InfersimError(f"nothing to simulate: {frame['notes'].iloc[0]}")
            columns = answer.load.concurrency.shape[1]
            rows = [
                _simulated(answer, place // columns, place % columns, rate, requests, seed)
                for place in range(len(frame))
            ]
            counted = {name: [row[name] for row in rows] for name in rows[0]}
            frames.append(frame.assign(**counted))
    return pd.concat(frames, ignore_index=True)


def _simulated(
    answer: Answer, row: int, column: int, rate: float | None, requests: int | None, seed: int
) -> dict[str, Any]:
    concurrency = int(answer.load.concurrency[row, column])
    clients = concurrency if rate is None else 1
    total = max(LEAST, ROUNDS * clients) if requests is None else max(requests, 3 * clients)
    if total > MOST:
        raise InvalidValueError(
            "concurrency",
            concurrency,
            f"at most {MOST // ROUNDS:,} where requests are simulated one by one: {total:,} would have to be",
        )
    ran = simulated(answer, row, column, rate=rate, requests=total, seed=seed)
    steps = ran.outputs > 1
    percentiles = {
        f"{name}_p{share}_ms": float(np.percentile(values, share)) * MS if values.size else float("nan")
        for name, values in (("ttft", ran.ttft_s), ("tpot", ran.tpot_s[steps]))
        for share in PERCENTILES
    }
    tpot = float(ran.tpot_s[steps].mean()) * MS if steps.any() else float("nan")
    nothing = dict.fromkeys(NOT_COUNTED, float("nan"))
    return {
        "running": ran.running,
        "ttft_ms": float(ran.ttft_s.mean()) * MS,
        "tpot_ms": tpot,
        "tokens_per_s": ran.tokens_per_s,
        "tokens_per_s_per_gpu": ran.tokens_per_s / answer.service.execution.gpus,
        "requests_per_s": ran.requests_per_s,
        "rate": float("nan") if rate is None else rate,
        **percentiles,
        **nothing,
    }


def simulated(answer: Answer, row: int, column: int, *, rate: float | None, requests: int, seed: int) -> Ran:
    """One length and concurrency of an answer, or one length at a rate, event by event."""
    lengths = answer.service.lengths[row]
    generator = np.random.default_rng(seed)
    places = _in_any_order(generator, lengths.prompts.size, requests)
    prompts, outputs = lengths.prompts[places], lengths.outputs[places]
    engine, memory = answer.service.engine, answer.memory
    longest = int(np.ceil((prompts + outputs).max() / memory.block_tokens)) + 1
    several = np.broadcast_to(
        np.arange(1.0, TOGETHER[-1] + 1), (len(answer.service.lengths), int(TOGETHER[-1]))
    )
    alone = answer.load.reading.each_s(several)
    rules = Rules(
        table=engine.scheduler,
        cache_bytes=max(0.0, memory.cache_bytes),
        bytes_of=memory.cache_of(np.arange(longest + 1) * memory.block_tokens).tolist(),
        block_tokens=memory.block_tokens,
        sharing=(alone[row] / alone[row, 0]).tolist(),
    )
    coming = Coming(
        prompts=prompts,
        outputs=outputs,
        new=prompts - lengths.found(prompts),
        read_s=_reading(answer, lengths, prompts),
        once_s=engine.host.request_ms / MS,
    )
    most = int(min(engine.scheduler.max_sequences, np.ceil(answer.load.held[row, 0]) * 2, requests))
    table = step_table(answer.served, most, float((prompts + outputs).max()))
    if rate is not None:
        _check_rate(answer, row, rate)
        gaps = generator.exponential(1 / rate, requests)
        return run_open(table, rules, coming, gaps, requests // 10)
    concurrency = int(answer.load.concurrency[row, column])
    life_s = concurrency / float(answer.steady.requests_per_s[row, column])
    together = max(1.0, min(concurrency, float(answer.steady.reads.group[row, column])))
    return run_closed(table, rules, coming, concurrency, life_s, together)


def _in_any_order(generator: np.random.Generator, several: int, requests: int) -> np.ndarray:
    """Places of requests: all of a trace once before any comes again, shuffled each time."""
    rounds = [generator.permutation(several) for _ in range(-(-requests // several))]
    return np.concatenate(rounds)[:requests]


def _reading(answer: Answer, lengths: Lengths, prompts: np.ndarray) -> np.ndarray:
    """Seconds to read each prompt, between the points that are timed."""
    points, _ = lengths.prompt_points()
    seconds = answer.served.prefill(points, cached=lengths.found(points)).seconds
    found: np.ndarray = np.interp(prompts, points, seconds)
    return found


def _check_rate(answer: Answer, row: int, rate: float) -> None:
    """Refuse what comes faster than the most requests at once are answered."""
    most = np.array([[float(answer.most[row])]])
    best = float(answer.at(most).requests_per_s[row, 0])
    if rate >= best:
        raise InfersimError(
            f"rate = {rate:g} requests a second; expected less than {best:.3g}, what {answer.plan.title} on "
            f"{answer.profile.name} answers at most: the queue would grow without end"
        )
