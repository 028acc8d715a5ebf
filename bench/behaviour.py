"""Does infersim still answer as it did? Some sixty commands, their answers kept and compared.

    python bench/behaviour.py --write FILE      run them, keep their answers in FILE
    python bench/behaviour.py --against FILE    run them again and tell every difference

A change that moves code changes no number (beyond a relative 1e-9), no name, no column and no exit code.
Sentences may change: they are listed, and are no failure. The commands are in `behaviour_commands.py`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from behaviour_commands import Command, first_commands, second_commands
from behaviour_differences import Differences, compare_answers
from behaviour_files import write_files
from one_core import SINGLE

ROOT = Path(__file__).parents[1]
AT_ONCE = 2
OF_THIS_RUN = ("date", "fit_seconds", "environment", "sha256")
"""Keys of what is true of one run only; a hash of a file is one of its bytes, not of what it says."""

PUBLIC_NAMES = "import infersim, json; print(json.dumps([infersim.__file__, *infersim.__all__]))"
SECONDS = re.compile(r"\d[\d.,]*\u00a0?\s?(?:ms|s|min|h|seconds|minutes)\b|(?<= )\d+\.\d+$", re.MULTILINE)
"""Times in sentences, and in the last column of a table."""

SHOWN = 40
"""Differences of each sort that are printed."""


def main() -> int:
    """Exit code: 0 unless something other than a sentence differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE", help="keep the answers in FILE")
    what.add_argument("--against", type=Path, metavar="FILE", help="compare the answers with those in FILE")
    asked = parser.parse_args()
    answers = all_answers()
    if asked.write is not None:
        asked.write.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{len(answers)} answers are in {asked.write}")
        return 0
    found = compare_answers(json.loads(asked.against.read_text(encoding="utf-8")), answers)
    print_differences(found)
    return 1 if found.failures else 0


def all_answers() -> dict[str, Any]:
    """Each command with its answer; the public names come first."""
    with tempfile.TemporaryDirectory(prefix="behaviour-") as name:
        folder = Path(name)
        write_files(folder, ROOT / "hw_profiles" / "h100-sxm.toml")
        answers: dict[str, Any] = {"infersim.__all__": _public_names(folder)}
        for commands in (first_commands(), second_commands()):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = pool.map(lambda command: _answer(command, folder), commands)
                answers.update(
                    {command.arguments: answer for command, answer in zip(commands, found, strict=True)}
                )
            fit = folder / "h100.json"
            (folder / "own" / "h100-sxm.fit.json").write_bytes(fit.read_bytes())
    return answers


def _public_names(folder: Path) -> list[str]:
    """`infersim.__all__` of this checkout; an error if another infersim were asked."""
    where, *names = json.loads(_run(["-c", PUBLIC_NAMES], folder).stdout)
    if not Path(where).is_relative_to(ROOT):
        raise SystemExit(f"{where} is not in {ROOT}")
    return sorted(names)


def _answer(command: Command, folder: Path) -> dict[str, Any]:
    """Exit code, what was printed (parsed where it is for machines), and what was written."""
    done = _run(["-m", "infersim", *command.arguments.split()], folder)
    answer: dict[str, Any] = {"exit": done.returncode, "aside": _lines(done.stderr, command, folder)}
    if done.returncode == 0 and "--json" in command.arguments:
        answer["rows"] = json.loads(done.stdout)
    elif done.returncode == 0 and "--csv" in command.arguments:
        answer["rows"] = _csv_rows(done.stdout)
    else:
        answer["text"] = _lines(done.stdout, command, folder)
    if done.returncode == 0 and command.writes is not None:
        answer["written"] = _read(folder / command.writes)
    return answer


def _run(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | SINGLE | own,
        capture_output=True,
        text=True,
        check=False,
    )


def _lines(text: str, command: Command, folder: Path) -> list[str]:
    """Lines without what is true of one run only."""
    text = text.replace(str(folder), "<folder>").replace(str(ROOT), "<root>")
    if command.timed:
        text = SECONDS.sub("<time>", text)
    return text.splitlines()


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return _without_this_run(json.loads(text)) if path.suffix == ".json" else _csv_rows(text)


def _without_this_run(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_this_run(kept) for key, kept in value.items() if key not in OF_THIS_RUN}
    return [_without_this_run(each) for each in value] if isinstance(value, list) else value


def _csv_rows(text: str) -> list[dict[str, Any]]:
    """Rows with numbers as such."""
    return [{key: _number(cell) for key, cell in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def print_differences(found: Differences) -> None:
    """Failures first, then sentences, and how much agreed."""
    for title, lines in (("DIFFERENT", found.failures), ("Other words (no failure)", found.words)):
        for line in lines[:SHOWN]:
            print(f"{title}: {line}")
        if len(lines) > SHOWN:
            print(f"{title}: {len(lines) - SHOWN} more")
    print(
        f"{found.agreeing} of {found.answers} answers agree in {found.numbers:,} numbers and "
        f"{found.names:,} names; {len(found.failures)} differences, {len(found.words)} other wordings"
    )


if __name__ == "__main__":
    sys.exit(main())
