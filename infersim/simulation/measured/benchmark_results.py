"""PruningInferSim's result files as measured speedups (`metric_results/*.txt`, `PruningInferSim/utils.py`).

    [INFO] Model: llama3.1-8b, Config: wrapper/static/static_m.yaml, ttft results:
       Batch Size  Seq Len Sparsity  Throughput (token/s)  Max Throughput (token/s)  Min ...
    0           1     1024     0.50                9100.5                    9200.1  8900.3

A file holds such a block for each run. The base is the dense configuration's throughput in the same
scenario; repeats of a scenario are one speedup, of their medians. A throughput of 0 is a run that failed.
That code (github.com/EIT-NLP/LLM-Pruning@8272717) runs q, k, v, gate and up apart, in 16 bit, and a decode
step over a cache that holds the sequence length with the current token; its files do not name the GPU.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median
from typing import NamedTuple

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.foreign import read_text
from infersim.pruning.families.dynamic_m import DYNAMIC_M
from infersim.pruning.families.dynamic_nk import DYNAMIC_NK
from infersim.pruning.families.registry import family_named
from infersim.pruning.families.static_k_2_4 import STATIC_K_2_4
from infersim.pruning.families.static_k_lowrank import STATIC_K_LOWRANK
from infersim.pruning.families.static_m import STATIC_M
from infersim.pruning.families.static_nk import STATIC_NK
from infersim.pruning.families.static_nk_cross import STATIC_NK_CROSS
from infersim.pruning.plan import OptionValue
from infersim.simulation.measured.table import MeasuredSpeedup, MeasuredTable, Timed, Unit
from infersim.workload.presets import list_models, load_model, model_aliases
from infersim.workload.scenario import Layout

SUFFIX = ".txt"
DENSE = "dense"

FAMILIES: Mapping[str, tuple[str, Mapping[str, OptionValue]]] = {
    "static_m": (STATIC_M.name, {}),
    "static_k": (STATIC_K_2_4.name, {"result": "transposed"}),
    "static_k_lowrank": (STATIC_K_LOWRANK.name, {}),
    "static_nk": (STATIC_NK.name, {}),
    "static_nk_cross": (STATIC_NK_CROSS.name, {}),
    "dynamic_m": (DYNAMIC_M.name, {}),
    "dynamic_nk": (DYNAMIC_NK.name, {"estimate": "scores"}),
}
"""Configuration files that come with the program -> family, with the options that are that code's way."""

MAX_FILES = 2_000
MAX_ROWS = 100_000

_PHASES = {"ttft": Timed.PREFILL, "tpot": Timed.DECODE}
_HEAD = re.compile(r"\[INFO\] Model: (.{0,200}?), Config: (.{0,400}?), (\w{1,20}) results:\s*")
_COLUMNS = re.compile(r"\s*Batch Size\s+Seq Len\s+Sparsity\s+Throughput \(token/s\)\s.*")
_GRAPH = re.compile(r".*_(True|False)", re.DOTALL)
_CELLS = 7
_EXPECTED = "index, batch, sequence length, sparsity and three throughputs"


class Scenario(NamedTuple):
    """What must be equal for two throughputs to make a speedup."""

    model: str
    phase: Timed
    cuda_graph: bool | None
    batch: int
    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """One row of a result file; `config` is the stem of the configuration file."""

    scenario: Scenario
    config: str
    sparsity: float
    tokens_per_s: float
    where: str


def is_results(path: Path) -> bool:
    """Whether `path` is a folder, or a file as that program writes them."""
    return path.is_dir() or path.suffix.lower() == SUFFIX


def read_results(path: Path, gpu: str | None) -> MeasuredTable:
    """The speedups of a folder of result files, or of one, measured on `gpu`.

    What makes no speedup (a run that failed, one without its dense base, a configuration of another name) is
    among the table's failures. Raises InvalidValueError where there are no such files or no GPU is said,
    FileContentError for a file that is none.
    """
    rows = list(_rows(path))
    if gpu is None:
        raise InvalidValueError(
            "gpu", None, f"the one GPU that {path} was measured on, as its files name none"
        )
    dense: dict[Scenario, list[float]] = defaultdict(list)
    pruned: dict[tuple[Scenario, str, float], list[Throughput]] = defaultdict(list)
    failures: list[str] = []
    for row in rows:
        if row.tokens_per_s == 0:
            failures.append(f"{row.where}: {row.config} failed there (its throughput is 0)")
        elif row.config == DENSE:
            dense[row.scenario].append(row.tokens_per_s)
        elif row.config not in FAMILIES:
            known = ", ".join(FAMILIES)
            failures.append(f"{row.where}: configuration {row.config} is none of {known}")
        else:
            pruned[row.scenario, row.config, row.sparsity].append(row)
    speedups = []
    for (scenario, config, sparsity), repeats in pruned.items():
        if scenario in dense:
            speedups.append(_speedup(scenario, config, sparsity, repeats, dense[scenario], gpu, path))
        else:
            failures.append(f"{repeats[0].where}: {config} has no dense run in the same scenario")
    table = MeasuredTable.of(speedups, dict.fromkeys(failures))
    if not table.rows and not table.failures:
        raise FileContentError(path, "rows", 0, "at least one speedup: a dense and a pruned run")
    return table


def _speedup(
    scenario: Scenario,
    config: str,
    sparsity: float,
    repeats: Sequence[Throughput],
    dense: Sequence[float],
    gpu: str,
    path: Path,
) -> MeasuredSpeedup:
    family, _ = FAMILIES[config]
    base, left = median(dense), median(row.tokens_per_s for row in repeats)
    where = repeats[0].where
    return MeasuredSpeedup(
        id=where,
        source=path.name or str(path),
        locator=where,
        gpu=gpu,
        family=family,
        phase=scenario.phase,
        measured_speedup=left / base,
        model=scenario.model,
        sparsity=_in_our_definition(family, sparsity, scenario.model),
        batch=scenario.batch,
        context=scenario.context,
        dtype="bf16",  # or fp16 before Hopper, which costs the same
        execution=Layout.SEPARATE.value,
        cuda_graph=scenario.cuda_graph,
        unit=Unit.TOKENS_PER_S,
        dense=base,
        pruned=left,
        note=f"median of {len(repeats)} pruned and {len(dense)} dense runs",
    )


def _in_our_definition(family: str, sparsity: float, model: str) -> float:
    """What the code really removed: it rounds layers down, and 2:4 has but one sparsity."""
    fixed = family_named(family).fixed_sparsity
    if fixed is not None:
        return fixed
    if family == STATIC_M.name and model in list_models():
        layers = len(load_model(model).blocks)
        return int(layers * sparsity) / layers
    return sparsity


def _rows(path: Path) -> Iterator[Throughput]:
    """All rows of all files, in the files' order; at most MAX_ROWS."""
    total = 0
    for file in _files(path):
        for row in _rows_of(file):
            total += 1
            if total > MAX_ROWS:
                raise FileContentError(path, "rows", f"above {MAX_ROWS}", f"at most {MAX_ROWS}")
            yield row


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(entry for entry in path.iterdir() if entry.suffix == SUFFIX and entry.is_file())
    if not files or len(files) > MAX_FILES:
        expected = f"a folder of result files ({SUFFIX}), at most {MAX_FILES}"
        raise InvalidValueError("measured", str(path), expected)
    return files


def _rows_of(file: Path) -> Iterator[Throughput]:
    head: re.Match[str] | None = None
    match = _GRAPH.fullmatch(file.stem)
    cuda_graph = None if match is None else match[1] == "True"
    for number, line in enumerate(read_text(file, "measured").splitlines(), start=1):
        where = f"{file.name}, line {number}"
        if found := _HEAD.fullmatch(line):
            if found[3] not in _PHASES:
                raise FileContentError(where, "metric", found[3], f"one of {', '.join(_PHASES)}")
            head = found
        elif head is None and line.strip():
            expected = "a result file of PruningInferSim, which begins with `[INFO] Model: `"
            raise FileContentError(where, "line", line[:60], expected)
        elif head is not None and line.strip() and not _is_no_row(line):
            yield _row(line.split(), head, cuda_graph, where)


def _is_no_row(line: str) -> bool:
    """Column names, and what pandas prints of a table without rows."""
    return bool(_COLUMNS.fullmatch(line)) or line.startswith(("Empty DataFrame", "Columns: [", "Index: []"))


def _row(cells: Sequence[str], head: re.Match[str], cuda_graph: bool | None, where: str) -> Throughput:
    if len(cells) != _CELLS:
        raise FileContentError(where, "cells", " ".join(cells)[:60], f"{_CELLS}: {_EXPECTED}")
    batch, context = (
        _whole(name, text, where) for name, text in zip(("Batch Size", "Seq Len"), cells[1:3], strict=True)
    )
    sparsity = _number("Sparsity", cells[3], where)
    if sparsity >= 1:
        raise FileContentError(where, "Sparsity", cells[3], "a fraction below 1")
    return Throughput(
        scenario=Scenario(_preset(head[1].strip()), _PHASES[head[3]], cuda_graph, batch, context),
        config=PurePosixPath(head[2].replace("\\", "/")).stem,
        sparsity=sparsity,
        tokens_per_s=_number("Throughput (token/s)", cells[4], where),
        where=where,
    )


def _number(name: str, text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise FileContentError(where, name, text, "a finite number of at least 0")
    return value


def _whole(name: str, text: str, where: str) -> int:
    value = _number(name, text, where)
    if not value.is_integer() or not 1 <= value <= 2**40:
        raise FileContentError(where, name, text, "a positive integer")
    return int(value)


def _preset(name: str) -> str:
    """The preset that the run's free name means, told by letters and digits; else the name."""
    plain = _plain(name)
    for preset in list_models():
        if plain in map(_plain, _spellings(preset)):
            return preset
    return name or "unnamed"


def _spellings(preset: str) -> Iterable[str]:
    """A preset's names, with and without what stands before the checkpoint's own."""
    for spelling in (preset, *model_aliases(preset)):
        yield spelling
        yield spelling.rpartition("/")[2]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())
