"""`sweep`: every combination of a plan as one table, in chunks, on one core or many, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

import pyarrow as pa

from infersim.domain.arguments import a_name_or_path, a_path, checked, either, optional, text
from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.domain.numbers import count
from infersim.files.parquet import parquet_table
from infersim.simulation.sweeping.engines import Engine, open_engine
from infersim.simulation.sweeping.grid import CHUNK_ROWS
from infersim.simulation.sweeping.parts import check_out, is_finished, open_parts
from infersim.simulation.sweeping.plan_lists import SweepPlan
from infersim.simulation.sweeping.resolved import ResolvedSweep, resolve_sweep
from infersim.simulation.sweeping.result import SweepResult
from infersim.simulation.sweeping.table import AnyGrid, grid_parquet

MAX_WORKERS, MAX_CHUNK_ROWS = 2**12, 2**27
"""Far beyond any machine: a larger number is a slip."""

OnRows = Callable[[int], object]
"""Told how many of all rows are done."""


@checked(
    plan=either(Mapping, a_name_or_path),
    out=optional(a_path),
    workers=count(MAX_WORKERS),
    scheduler=optional(text),
    chunk_rows=count(MAX_CHUNK_ROWS),
)
def sweep(
    plan: SweepPlan,
    out: str | Path | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> SweepResult:
    """Compare every combination of a plan: models x GPUs x prunings x scenarios x ways to run them.

    `plan` is a TOML file, the name of a shipped one, or its tables as a mapping. The table goes to the
    Parquet file `out`, or without one stays in memory. It has the columns of `compare` and, after `context`,
    `request dtype kv_dtype execution cuda_graph`; rows are ordered by model, setting, phase or request, GPU,
    plan, batch and context. What cannot be (a data type that a GPU lacks, a sparsity that a family cannot
    have) is in `left_out` of the result, with its reason.

    `workers` processes of this machine compute chunks of about `chunk_rows` rows, or the Dask cluster whose
    `scheduler` address is given. Killed at any time, the same call goes on and ends with the same table.

    Parameters
    ----------
    plan
        A TOML file, the name of a shipped plan, or its tables as a mapping.
    out
        A Parquet file. Left out: the table stays in memory.
    workers
        Processes of this machine.
    scheduler
        The address of a Dask cluster, in place of workers.
    chunk_rows
        About how many rows are computed at a time.

    Returns
    -------
    SweepResult
        The table, and what was left out.

    Raises
    ------
    InfersimError
        For what is wrong in the plan, before anything is computed; for an `out` that another plan, infersim
        or profile made; and where nothing can be written.

    Examples
    --------
    >>> import infersim as sim
    >>> plan = {"model": "llama-3.2-1b", "gpu": "l4", "family": "static-m", "sparsity": [0.25, 0.5]}
    >>> found = sim.sweep({**plan, "phase": "decode", "batch": [1, 8], "context": 1024})
    >>> len(found.frame())
    4
    """
    return run_sweep(resolve_sweep(plan), out, workers=workers, scheduler=scheduler, chunk_rows=chunk_rows)


def run_sweep(
    resolved: ResolvedSweep,
    out: str | Path | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
    on_rows: OnRows | None = None,
) -> SweepResult:
    """`sweep` of a plan that is resolved already; `on_rows` is told how many rows are there."""
    if chunk_rows < 1:
        raise InvalidValueError("chunk_rows", chunk_rows, "a positive integer")
    tell = on_rows or _nobody
    chunks = resolved.chunks(chunk_rows)
    if out is None:
        with open_engine(workers, scheduler) as engine:
            contents = dict(_computed(engine, chunks, range(len(chunks)), tell))
        tables = [parquet_table(contents[index]) for index in range(len(chunks))]
        whole = pa.concat_tables(tables).unify_dictionaries()
        return SweepResult(source=whole, left_out=resolved.left_out)
    path = Path(out)
    check_out(path)
    identity = {**resolved.identity, "chunk_rows": chunk_rows}
    if not is_finished(path, identity):
        with open_parts(path, identity, len(chunks)) as parts:
            missing = parts.missing()
            if missing:
                with open_engine(workers, scheduler) as engine:
                    for index, content in _computed(engine, chunks, missing, tell):
                        parts.put(index, content)
            parts.finish(identity, resolved.left_out)
    return SweepResult(source=path, left_out=resolved.left_out)


def _computed(
    engine: Engine, chunks: Sequence[AnyGrid], missing: Sequence[int], on_rows: OnRows
) -> Iterator[tuple[int, bytes]]:
    """Each missing chunk as it is done, in any order; no more than the engine wants are under way."""
    done = sum(chunk.rows for chunk in chunks) - sum(chunks[index].rows for index in missing)
    on_rows(done)
    waiting = iter(missing)
    running: dict[Future[bytes], int] = {}
    while True:
        for index in waiting:
            running[engine.executor.submit(grid_parquet, chunks[index])] = index
            if len(running) >= engine.at_once:
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            index = running.pop(future)
            yield index, _result(future)
            done += chunks[index].rows
            on_rows(done)


def _nobody(done: int) -> None:
    """Is told, and lets it be."""


def _result(future: Future[bytes]) -> bytes:
    try:
        return future.result()
    except InfersimError:
        raise
    except CancelledError:
        raise InfersimError(f"the cluster went away; {_KEPT}") from None
    except Exception as error:  # a worker that died, memory that is short: each engine has its own word
        raise InfersimError(f"a worker failed: {error!r}; {_KEPT}") from error


_KEPT = "finished chunks are kept, and the same command goes on"
