"""Fits the few constants of engines to served models, and scores groups with those fitted without them.

Of each engine what a step and a sequence cost on the host, and what it hides beside the kernels, by TPOT and
tokens per second; of all engines what a request costs once, and of those that mix prompts and steps, or do
not, how many prompts are read together, by TTFT. Prints the best, to be entered by hand in
`engines/data/*.toml`, and how flat the optimum of the last two is. A grid, as there are few numbers; means
over groups, so that no group with many rows decides, and the median of TTFT in each, as few rows are far off.
Kernels of each case are timed once.

Writes docs/accuracy-served-held-out.csv: errors of dense models on one GPU with the constants of the files,
and with those fitted to what is left where a model on a GPU under an engine, a whole model, a whole GPU or a
whole engine is left out. Kernels are those of the profiles, whatever is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from accuracy import MEASURED
from infersim.domain.arrays import Array
from infersim.engines.reading import load_engine
from infersim.workload.sublayers.experts import ExpertLayer
from served_again import Constants, Timed, asked_again, shipped, timed
from served_models import model_of
from served_tables import Case, cases

TARGET = Path(__file__).parents[1] / "docs" / "accuracy-served-held-out.csv"

STEP_MS, SEQUENCE_US = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 1.8, 2.4), (0.0, 5.0, 10.0, 20.0, 30.0)
HIDDEN_MS, REQUEST_MS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0), (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)
TOGETHER = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.5, 0.7, 1.0)
ENGINES = ("vllm", "tensorrt-llm", "sglang")

NEWER = load_engine("vllm").newer_gpus
"""Compute capabilities beside which vLLM's step is told apart."""

APART = ("prompts cached", "queued")
"""Groups that nothing is fitted to."""

LEFT_OUT = ("nothing", "the group", "the model", "the GPU", "the engine")
"""What constants are fitted without, as the columns of the page name it."""

Point = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Cases of a model on a GPU under an engine, in one format, on so many GPUs.

    `host` and `queue` are losses at each point of the grids: of TPOT or tokens per second, and of TTFT.
    """

    name: str
    source: str
    cases: list[tuple[Case, Timed]]
    kept: Constants
    host: Array
    queue: Array

    @property
    def gpu(self) -> str:
        """Where it runs."""
        return self.name.split(", ")[0]

    @property
    def engine(self) -> str:
        """What serves it."""
        return self.name.split(", ")[1]

    @property
    def model(self) -> str:
        """What is served."""
        return self.name.split(", ")[2]

    @property
    def newer(self) -> bool:
        """Whether an engine may have another step beside such a GPU."""
        return NEWER is not None and self.cases[0][1].profile.compute_capability in NEWER.capabilities

    @property
    def scored(self) -> bool:
        """Whether it is a service of a dense model on one GPU."""
        return self.source == "services" and "GPUs" not in self.name and not self.mixture

    @property
    def mixture(self) -> bool:
        """Whether some layer has experts."""
        blocks = model_of(self.model).grouped_blocks()
        return any(isinstance(block.ffn, ExpertLayer) for block, _ in blocks)


HOSTS: tuple[Point, ...] = tuple(product(STEP_MS, SEQUENCE_US, HIDDEN_MS))
QUEUES: tuple[Point, ...] = tuple(product(REQUEST_MS, TOGETHER))


def main() -> None:
    """Fits of all rows, then what is left of each group that is scored."""
    if not MEASURED.is_dir():
        print(f"served: skipped, there are no measurements in {MEASURED}; {TARGET} stays as it is")
        return
    groups = _groups(cases())
    for engine in ENGINES:
        for newer in sorted({group.newer for group in groups if group.engine == engine}):
            kept = next(each.kept for each in groups if (each.engine, each.newer) == (engine, newer))
            print(f"{engine}, {'newer' if newer else 'older'} GPUs, fitted: {_fitted(groups, engine, newer)}")
            print(f"{engine}, {'newer' if newer else 'older'} GPUs, shipped: {kept}")
    for mixes, said in ((True, "that mix prompts and steps"), (False, "that do not")):
        print(f"TTFT of engines {said}, by request_ms and together:")
        print(_errors_of_queues(groups, mixes).to_string())
    rows = [row for group in groups if group.scored for row in _held_out(group, groups)]
    frame = pd.DataFrame(rows).assign(computed=date.today().isoformat())
    frame.to_csv(TARGET, index=False, float_format="%.4g", lineterminator="\n")
    print(frame.drop(columns="computed").round(3).to_string(index=False))
    print(frame.groupby("left_out", sort=False)[["tpot", "ttft"]].mean().round(3).to_string())


def _groups(several: Sequence[Case]) -> list[Group]:
    """Cases by group, each at all points of both grids."""
    by_group: dict[tuple[str, str], list[tuple[Case, Timed]]] = {}
    for case in several:
        first = case.rows(case.answer.steady)[0]
        name = str(first["group"]).removesuffix(", queued")
        if not set(APART) & set(name.split(", ")):
            by_group.setdefault((str(first["source"]), name), []).append((case, timed(case)))
    return [_group(source, name, found) for (source, name), found in by_group.items()]


def _group(source: str, name: str, found: list[tuple[Case, Timed]]) -> Group:
    served = found[0][1]
    kept = shipped(served.engine)
    host = [_loss(found, _with_host(kept, point))[0] for point in HOSTS]
    queue = [_loss(found, _with_queue(kept, point))[1] for point in QUEUES]
    return Group(name=name, source=source, cases=found, kept=kept, host=np.array(host), queue=np.array(queue))


def _with_host(kept: Constants, point: Point) -> Constants:
    step_ms, sequence_us, hidden_ms = point
    return replace(kept, step_ms=step_ms, sequence_us=sequence_us, hidden_ms=hidden_ms)


def _with_queue(kept: Constants, point: Point) -> Constants:
    request_ms, together = point
    return replace(kept, request_ms=request_ms, together=together)


def _ratios(found: Sequence[tuple[Case, Timed]], constants: Constants) -> tuple[Array, Array]:
    """Predicted over measured of TPOT or tokens per second, and of TTFT (empty without)."""
    rows = [row for case, kernels in found for row in case.rows(asked_again(case, kernels, constants))]
    ratios: tuple[list[float], list[float]] = ([], [])
    for row in rows:
        if "queued" not in str(row["group"]):
            ratio = float(str(row["predicted"])) / float(str(row["measured"]))
            ratios[row["quantity"] == "TTFT"].append(ratio)
    return np.array(ratios[0]), np.array(ratios[1])


def _loss(found: Sequence[tuple[Case, Timed]], constants: Constants) -> tuple[float, float]:
    """Of the logs, so that twice and half weigh alike: the mean, and the median for TTFT (NaN without)."""
    steps, firsts = _ratios(found, constants)
    first = float(np.median(np.abs(np.log(firsts)))) if firsts.size else float("nan")
    return float(np.abs(np.log(steps)).mean()), first


def _fitted(groups: Sequence[Group], engine: str, newer: bool) -> Constants:
    """The constants of an engine beside newer or older GPUs, of groups of any.

    What a step costs is the engine's; where it has no group, what suits the others best. What is read before
    a first token is that of all engines that mix prompts and steps, and of all that do not.
    """
    own = [group for group in groups if group.engine == engine] or list(groups)
    losses = [np.zeros(len(HOSTS)), np.zeros(len(HOSTS))]
    for weight, group in zip(_weights(own), own, strict=True):
        losses[group.newer] += weight * group.host
    host = _with_host(own[0].kept, HOSTS[_best_host(losses, newer)])
    return _with_queue(host, _best_queue(groups, load_engine(engine).scheduler.mixes))


def _best_host(losses: Sequence[Array], newer: bool) -> int:
    """The point of HOSTS for one kind of GPU: both kinds have their own step and share the rest."""
    shape = (len(STEP_MS), len(SEQUENCE_US) * len(HIDDEN_MS))
    by_step = [loss.reshape(shape) for loss in losses]
    shared = int(np.argmin(np.sum([loss.min(axis=0) for loss in by_step], axis=0)))
    wanted = by_step[newer] if by_step[newer].any() else by_step[not newer]
    return int(np.argmin(wanted[:, shared])) * shape[1] + shared


def _best_queue(groups: Sequence[Group], mixes: bool) -> Point:
    """The point of QUEUES: `together` is that of engines that mix, or do not; the rest is that of all."""
    losses = {kind: _losses_of_queues(groups, kind).sum(axis=0) for kind in (True, False)}
    request = int(np.argmin(np.sum([loss.min(axis=1) for loss in losses.values()], axis=0)))
    wanted = losses[mixes] if losses[mixes].any() else losses[not mixes]
    return REQUEST_MS[request], TOGETHER[int(np.argmin(wanted[request]))]


def _losses_of_queues(groups: Sequence[Group], mixes: bool) -> Array:
    """Of TTFT: groups of engines that mix prompts and steps, or do not, x REQUEST_MS x TOGETHER."""
    found = [
        group.queue
        for group in groups
        if load_engine(group.engine).scheduler.mixes is mixes and not np.isnan(group.queue).any()
    ]
    return np.array(found).reshape(-1, len(REQUEST_MS), len(TOGETHER))


def _errors_of_queues(groups: Sequence[Group], mixes: bool) -> pd.DataFrame:
    """The same as errors, in the mean over groups."""
    errors = np.expm1(_losses_of_queues(groups, mixes).mean(axis=0))
    return pd.DataFrame(errors, index=list(REQUEST_MS), columns=list(TOGETHER)).round(3)


def _weights(groups: Sequence[Group]) -> list[float]:
    """Each source counts alike, and in it each group."""
    sources = [group.source for group in groups]
    return [1 / len(set(sources)) / sources.count(group.source) for group in groups]


def _held_out(group: Group, groups: Sequence[Group]) -> list[dict[str, object]]:
    """Errors with the file's constants, and with those of what is left."""
    left: dict[str, Callable[[Group], bool]] = {
        "the group": lambda each: (
            (each.gpu, each.engine, each.model) == (group.gpu, group.engine, group.model)
        ),
        "the model": lambda each: each.model == group.model,
        "the GPU": lambda each: each.gpu == group.gpu,
        "the engine": lambda each: each.engine == group.engine,
    }
    constants = {"nothing": group.kept} | {
        name: _fitted([each for each in groups if not out(each)], group.engine, group.newer)
        for name, out in left.items()
    }
    rows = []
    for name in LEFT_OUT:
        steps, firsts = _ratios(group.cases, constants[name])
        tpot, ttft = float(np.abs(steps - 1).mean()), float(np.median(np.abs(firsts - 1)))
        fitted = {key: getattr(constants[name], key) for key in Constants.__dataclass_fields__}
        rows.append(
            {"group": group.name, "rows": len(steps), "left_out": name, "tpot": tpot, "ttft": ttft} | fitted
        )
    return rows


if __name__ == "__main__":
    main()
