"""Kills and full disks: nothing that was finished is lost, torn or there twice, and no file stays behind.

`python bench/faults.py [--kills N] [--seed N]`: N (100) SIGKILLs of `measure kernels` on this CPU, a fifth as
many of `sweep`, and of each of `import`, `calibrate` and `validate`, at random moments; then every command
that writes, on a full disk. Each line says how many, and the script ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from fault_inputs import MEASURED, SWEPT, infersim, writers
from one_core import SINGLE

ROOT = Path(__file__).parents[1]


def started(command: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    """A process of it, in the repository, quiet."""
    environment = os.environ | SINGLE | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **more,
    )  # fmt: skip


def killed(command: Sequence[str], seconds: float) -> bool:
    """Whether a process of `command` was still at work when it, and all that it started, were killed."""
    process = started(command)
    time.sleep(seconds)
    working = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if working else None
    process.communicate()
    return working


def takes(command: Sequence[str]) -> float:
    """Seconds of an undisturbed run, which must succeed."""
    start = time.perf_counter()
    process = started(command)
    _, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {err}")
    return time.perf_counter() - start


def whole_lines(log: Path) -> list[bytes]:
    """The lines of a log that are finished."""
    content = log.read_bytes() if log.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def kill_measurements(folder: Path, kills: int, chance: random.Random) -> list[str]:
    """A plan measured in spite of kills: each row once, in order, and no finished line ever changed."""
    plan, log = folder / "plan.toml", folder / "log.jsonl"
    plan.write_text(MEASURED.replace("rows = 400", f"rows = {4 * kills}"))
    command = infersim(
        "measure", "kernels", "--device", "cpu", "--threads", 1, "--passes", 1, "--plan", plan, "-o", log
    )
    wrong, done = [], 0
    while done < kills:
        before = whole_lines(log)
        process = started(command)
        until = time.monotonic() + 120
        more = chance.randrange(0, 4)
        while (
            len(whole_lines(log)) < len(before) + more and process.poll() is None and time.monotonic() < until
        ):
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.3 if more else 3.0))
        if process.poll() is not None:
            wrong.append(f"the run ended before kill {done + 1}: {process.communicate()[1][-300:]}")
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        done += 1
        if whole_lines(log)[: len(before)] != before:
            wrong.append(f"kill {done}: finished lines changed")
    takes(command)
    records = [json.loads(line) for line in log.read_bytes().splitlines()]
    rows = [row["plan_row"] for row in records if "plan_row" in row]
    if sorted(rows) != list(range(min(rows), min(rows) + 4 * kills)):
        wrong.append(f"{len(rows)} rows of {4 * kills}, {len(set(rows))} of them different")
    return wrong + stray(folder, {"plan.toml", "log.jsonl"})


def kill_sweeps(folder: Path, kills: int, chance: random.Random) -> list[str]:
    """A sweep in spite of kills gives the table of an undisturbed one."""
    plan, out, other = folder / "plan.toml", folder / "out.parquet", folder / "other.parquet"
    plan.write_text(SWEPT)
    seconds = takes(infersim("sweep", plan, "-o", other, "--chunk-rows", 4))
    wrong, done = [], 0
    while done < kills:
        if killed(infersim("sweep", plan, "-o", out, "--chunk-rows", 4), chance.uniform(0.2, seconds)):
            done += 1
        elif out.exists():  # it was whole before the kill: begin anew
            wrong += [] if out.read_bytes() == other.read_bytes() else ["a finished table differs"]
            out.unlink()
    takes(infersim("sweep", plan, "-o", out, "--chunk-rows", 4))
    if out.read_bytes() != other.read_bytes():
        wrong.append("the table differs from that of an undisturbed sweep")
    return wrong + stray(folder, {"plan.toml", "out.parquet", "other.parquet"})


def kill_writers(folder: Path, kills: int, chance: random.Random) -> list[str]:
    """A killed writer leaves the old file or the new one, whole."""
    wrong = []
    for name, command, out in writers(folder)[:3]:
        seconds = takes(command)
        new = out.read_bytes()
        old = b"old and whole\n"
        there, done = set(folder.iterdir()), 0
        while done < kills:
            out.write_bytes(old)
            done += killed(command, chance.uniform(0.7, 1.05) * seconds)
            if out.read_bytes() not in (old, new) and name != "calibrate":  # a fit states how long it took
                wrong.append(f"{name}: neither the old nor the new file")
            elif name == "calibrate" and out.read_bytes() != old:
                json.loads(out.read_bytes())
        wrong += [f"{name}: stray {path.name}" for path in set(folder.iterdir()) - there]
    return wrong


GOES_ON = {"sweep", "measure kernels"}
"""They leave what they go on from, and do not begin over an old file of another kind."""


def full_disks(
    folder: Path, disk: Callable[[Path], AbstractContextManager[Any]], only: Sequence[str] = ()
) -> list[str]:
    """Each writer (or `only` these) where no byte fits: exit code 2, the file's name, all as it was."""
    wrong = []
    chosen = [writer for writer in writers(folder) if not only or writer[0] in only]
    for name, command, out in chosen:
        target = folder / "disk" / out.name
        with disk(target) as limits:
            there = {path: path.read_bytes() for path in target.parent.iterdir()}
            process = started([*command[:-1], str(target)], **limits)
            _, err = process.communicate()
            after = {path: path.read_bytes() for path in target.parent.iterdir() if path.is_file()}
            if process.returncode != 2 or target.name not in err or "Traceback" in err:
                wrong.append(f"{name}: exit code {process.returncode}: {err[-200:].strip()}")
            if any(after.get(path) != content for path, content in there.items()):
                wrong.append(f"{name}: an old file changed")
            new = sorted(path.name for path in set(target.parent.iterdir()) - set(there))
            own = target.name if name in GOES_ON else "\0"
            wrong += [f"{name}: stray {path}" for path in new if not path.startswith(own)]
    return wrong


@contextmanager
def small_disk(target: Path) -> Iterator[dict[str, Any]]:
    """A file system in memory, filled to the last byte, with the old file in it."""
    target.parent.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(target.parent)], check=True)
    try:
        _old(target)
        with (target.parent / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"\0" * 512)
        yield {}
    finally:
        subprocess.run(["umount", str(target.parent)], check=True)


@contextmanager
def quota(target: Path) -> Iterator[dict[str, Any]]:
    """No file may grow beyond 64 bytes."""
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir()
    _old(target)
    yield {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))}


def _old(target: Path) -> None:
    if target.name not in ("sweep.parquet", "log.jsonl"):
        target.write_bytes(b"old and whole\n")


def stray(folder: Path, known: set[str]) -> list[str]:
    """Files that nobody asked for."""
    return [f"stray {path.name}" for path in folder.iterdir() if path.name not in known]


def main() -> None:
    """Kill, fill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance, few = random.Random(asked.seed), max(asked.kills // 5, 1)
    trials: dict[str, Callable[[Path], list[str]]] = {
        f"{few} SIGKILLs of sweep": lambda folder: kill_sweeps(folder, few, chance),
        f"{few} SIGKILLs each of import, calibrate and validate": lambda folder: kill_writers(
            folder, few, chance
        ),
        "11 writing commands over a quota of 64 bytes": lambda folder: full_disks(folder, quota),
        "11 writing commands on a full disk": lambda folder: full_disks(folder, small_disk),
        f"{asked.kills} SIGKILLs of measure kernels": lambda folder: kill_measurements(
            folder, asked.kills, chance
        ),
    }
    failed = False
    for title, trial in trials.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="faults") as name:
            try:
                wrong = trial(Path(name))
            except subprocess.CalledProcessError as error:
                print(f"{title}: not tried: {error}", flush=True)
                continue
        failed |= bool(wrong)
        said = "; ".join(wrong[:5]) if wrong else "nothing lost, torn, doubled or stray"
        print(f"{title} ({time.perf_counter() - start:.0f} s): {said}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
