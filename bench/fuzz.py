"""Hostile inputs to every command, file kind and public function: nothing but answers and named refusals.

`python bench/fuzz.py [--seed N] [--inputs N] [--first N] [--case N] [--workers N]`. A failure is an exception
that is none of ours, a case that takes over 20 s of a core or waits, not-a-number in an answer, a latency
below its floor, or a stray file. Each is printed with its seed and case, which `--case` repeats alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer.main

from fuzz_calls import Call, call, performed
from fuzz_commands import command
from infersim.cli.main import app, run
from infersim.domain.costs import Latency
from infersim.domain.errors import InfersimError

SEED, INPUTS, LIMIT_S, LIMIT_BYTES = 0, 20_000, 20, 6 * 2**30
LONGEST_WAIT_S, STILL_S, LONGEST_MESSAGE = 20, 0.01, 20_000
"""Seconds in which a case that works at all works for some of a core; LIMIT_S are those of a core."""
COMMAND_SHARE = 0.4
COMMAND_NAMES = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
USER_ERRORS = (2,)
FLOORS = (("latency_ms", "floor_ms"), ("latency_us", "floor_us"), ("lower_ms", "floor_ms"))
TOLERANCE = 1 - 1e-9
IN_MEMORY = next((path for path in ("/dev/shm",) if os.access(path, os.W_OK)), None)
"""Where the folders of cases lie: a disk takes longer to remove one than many a case to run."""
typer.main.get_command = cache(typer.main.get_command)  # the same for each command line, and half of its time


class TooLong(BaseException):
    """A case that takes longer than the limit; no `except Exception` on the way stops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case was, whether it was answered, and what went wrong, if anything: a line, and where."""

    case: int
    kind: str
    shown: str
    answered: bool = False
    seconds: float = 0.0
    failure: str | None = None


def run_case(seed: int, case: int) -> Outcome:
    """Make the input of a case and give it to infersim, in a folder that is gone afterwards."""
    chance = random.Random(f"{seed}/{case}")
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz", dir=IN_MEMORY) as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(name)
        start = time.process_time()
        try:
            if chance.random() < COMMAND_SHARE:
                outcome = _of_command(case, command(chance, Path(name)))
            else:
                outcome = _of_call(case, call(chance, Path(name)))
            return replace(outcome, seconds=time.process_time() - start)
        except Exception as error:
            return Outcome(case=case, kind="unmade", shown="", failure=_raw(error))
        finally:
            os.chdir(before)


def _of_command(case: int, arguments: list[str]) -> Outcome:
    kind = arguments[0] if arguments and arguments[0] in COMMAND_NAMES else "no command"
    shown = " ".join(_shown(each) for each in arguments)
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    there = _files()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _limited():
            run(arguments)
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        return Outcome(case=case, kind=kind, shown=shown, failure=_raw(error))
    failure = _wrong_end(code, out.getvalue(), err.getvalue()) or _stray(there, arguments, code)
    return Outcome(case=case, kind=kind, shown=shown, answered=code == 0, failure=failure)


def _wrong_end(code: object, out: str, err: str) -> str | None:
    if code not in (0, *USER_ERRORS):
        return f"exit code {code!r}: {err[-300:]}"
    if "Traceback" in err:
        return f"a traceback on standard error: {err[-300:]}"
    if len(err) > LONGEST_MESSAGE:
        return f"a message of {len(err):,} characters: {err[:200]}"
    if code == 0 and out[:1] in "[{" and out:
        return _wrong_json(out)
    return None


def _wrong_json(out: str) -> str | None:
    try:
        rows = json.loads(out, parse_constant=_no_number)
    except ValueError as error:
        return f"JSON that is none: {error}"
    for row in rows if isinstance(rows, list) else []:
        for latency, floor in FLOORS:
            said = isinstance(row, dict) and row.get(latency) is not None and row.get(floor) is not None
            if said and not row[latency] >= row[floor] * TOLERANCE >= 0:
                return f"below its floor: {latency} = {row[latency]}, {floor} = {row[floor]}"
    return None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} in JSON")


def _stray(before: set[str], arguments: list[str], code: object) -> str | None:
    """Files that nobody asked for; a sweep that is refused half-way keeps its unfinished folder."""
    named = [Path(each).name for each in arguments if each]
    for name, where in pairwise(arguments):
        named += Path(where).parts[:1] if name == "--figures" else ()  # with the folders above it
    new = {
        name for name in _files() - before if not any(Path(name).parts[0].startswith(own) for own in named)
    }
    return f"stray files after exit code {code}: {', '.join(sorted(new))}" if new else None


def _files() -> set[str]:
    return {str(path.relative_to(Path.cwd())) for path in Path.cwd().rglob("*")}


def _of_call(case: int, made: Call) -> Outcome:
    failure, answered = None, False
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), _limited():
            found = performed(made)
        answered, failure = True, _wrong_answer(found)
    except InfersimError as error:
        message = str(error)
        failure = f"a message of {len(message):,} characters" if len(message) > LONGEST_MESSAGE else None
    except BaseException as error:
        failure = _raw(error)
    shown = _shown_call(made) if failure else ""  # what prints its arguments costs more than most calls
    return Outcome(case=case, kind=f"sim.{made.name}", shown=shown, answered=answered, failure=failure)


def _shown_call(made: Call) -> str:
    keywords = [f"{name}={_shown(value)}" for name, value in made.keywords.items()]
    return f"sim.{made.name}({', '.join([*map(_shown, made.positional), *keywords])})"


def _wrong_answer(found: Any) -> str | None:
    if isinstance(found, Latency):
        for name in ("latency_s", "lower_s", "upper_s", "floor_s"):
            if not np.isfinite(getattr(found, name)).all():
                return f"{name} is not finite"
        if (found.lower_s < found.floor_s * TOLERANCE).any():
            return "lower_s is below floor_s"
    if isinstance(found, pd.DataFrame) and {"latency_ms", "lower_ms", "floor_ms"} <= set(found.columns):
        numbers = found[["latency_ms", "lower_ms", "upper_ms", "floor_ms", "memory_gib"]]
        if not np.isfinite(numbers.to_numpy(dtype=float)).all():
            return "a latency or a size of memory is not finite"
        if (found["lower_ms"] < found["floor_ms"] * TOLERANCE).any():
            return "lower_ms is below floor_ms"
    return None


def _raw(error: BaseException) -> str:
    """An exception that is none of ours: its line, and where in infersim it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/infersim/" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:160]}{place}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: no repr, {type(error).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= 90 else f"{text[:80]}... ({len(text)} characters)"


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    worked = time.process_time()

    def too_long(number: int, _frame: object) -> None:
        nonlocal worked
        before, worked = worked, time.process_time()
        if number == signal.SIGPROF:
            raise TooLong(f"over {LIMIT_S} s of a core")
        if worked - before < STILL_S:
            raise TooLong(f"waits for over {LONGEST_WAIT_S} s")

    old = signal.signal(signal.SIGALRM, too_long)
    old_work = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WAIT_S, LONGEST_WAIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, old)
        signal.signal(signal.SIGPROF, old_work)


def _worker(share: tuple[int, list[int]]) -> tuple[list[Outcome], int, float]:
    """Outcomes, and which process has worked how long by now, its start included."""
    seed, cases = share
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    return [run_case(seed, case) for case in cases], os.getpid(), time.process_time()


def outcomes(seed: int, inputs: int, workers: int, first: int = 0) -> tuple[list[Outcome], float]:
    """Cases of a seed, shared among processes, and how long these worked."""
    end = first + inputs
    shares = [(seed, list(range(start, min(start + 50, end)))) for start in range(first, end, 50)]
    found: list[Outcome] = []
    worked: dict[int, float] = {}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "fuzz_calls"])
    with context.Pool(workers, maxtasksperchild=20) as pool:
        for part, process, seconds in pool.imap_unordered(_worker, shares):
            found += part
            worked[process] = seconds
            for one in part:
                if one.failure:
                    print(f"case {one.case}: {one.failure!a}", file=sys.stderr, flush=True)
    return sorted(found, key=lambda outcome: outcome.case), sum(worked.values())


def report(found: list[Outcome], seconds: float, work: float) -> str:
    """Inputs by kind: how many, answered, failed; then each kind of failure with its smallest case."""
    counts = Counter(one.kind for one in found)
    answered = Counter(one.kind for one in found if one.answered)
    failed = Counter(one.kind for one in found if one.failure)
    spent = {kind: sum(one.seconds for one in found if one.kind == kind) for kind in counts}
    lines = [f"{'kind':<24}{'inputs':>8}{'answered':>10}{'failed':>8}{'seconds':>9}"]
    lines += [
        f"{kind:<24}{counts[kind]:>8,}{answered[kind]:>10,}{failed[kind]:>8,}{spent[kind]:>9.1f}"
        for kind in sorted(counts)
    ]
    lines.append(
        f"{len(found):,} inputs in {seconds:.0f} s, {work:.0f} s of a core, {sum(failed.values()):,} failures"
    )
    first: dict[str, list[Outcome]] = {}
    for one in found:
        if one.failure:
            first.setdefault(one.failure.rpartition(" at ")[2] + one.failure[:40], []).append(one)
    for same in sorted(first.values(), key=len, reverse=True):
        least = min(same, key=lambda one: len(one.shown))
        lines.append(
            f"{len(same):>5} x {least.failure}\n        case {least.case} ({least.kind}): {least.shown[:600]}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what was asked for; exit with 1 where a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", type=int, help="only this one, with what it prints")
    asked = parser.parse_args()
    start = time.perf_counter()
    if asked.case is not None:
        found, work = [run_case(asked.seed, asked.case)], time.process_time()
    else:
        found, work = outcomes(asked.seed, asked.inputs, asked.workers, asked.first)
    text = report(found, time.perf_counter() - start, work)
    print(text.encode("utf-8", "backslashreplace").decode(), flush=True)
    sys.exit(any(one.failure for one in found))


if __name__ == "__main__":
    main()
