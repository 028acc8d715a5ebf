"""Lengths of requests: tokens read and written, the same for all or a distribution, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infersim.domain.arrays import Array
from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.workload.scenario import MAX_CONTEXT

MOST_POINTS = 64
"""Prompts of a trace that reading is timed at: the means of so many equal parts of it."""

PROMPT_NAMES = ("prompt", "prompt_len", "input_tokens", "num_prefill_tokens", "isl", "ContextTokens")
OUTPUT_NAMES = ("output", "output_len", "output_tokens", "osl", "GeneratedTokens")
"""Columns of a trace, in any case: its own names, and those of published ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lengths:
    """Requests, each as likely as another: `prompts` and `outputs` are arrays of whole tokens of equal size.

    `name` is what rows say of them: the file of a trace, empty for one length of all. `cached` is the share
    of each prompt that the KV cache holds when its request comes.
    """

    prompts: Array
    outputs: Array
    name: str = ""
    cached: float = 0.0

    @property
    def prompt(self) -> float:
        """Tokens that a request reads, on average."""
        return float(self.prompts.mean())

    def found(self, prompts: Array) -> Array:
        """Tokens of prompts that are in the cache: never the last one, which is always computed."""
        return np.minimum(np.floor(self.cached * prompts), prompts - 1)

    @property
    def new(self) -> float:
        """Tokens of a prompt that are computed, on average."""
        return float((self.prompts - self.found(self.prompts)).mean())

    @property
    def output(self) -> float:
        """Tokens that a request writes, on average."""
        return float(self.outputs.mean())

    @property
    def context(self) -> float:
        """Tokens that a decode step sees of a sequence, its own included, on average over the steps.

        The k-th of n steps sees prompt + k tokens, and long answers are in more steps than short ones.
        """
        steps = np.maximum(self.outputs - 1, 1)
        seen = self.prompts + (np.maximum(self.outputs - 1, 0) + 1) / 2
        return float((steps * seen).sum() / steps.sum())

    @property
    def alike(self) -> float:
        """The share of requests that write as much as one does, on average: 1 where all do."""
        _, counts = np.unique(self.outputs, return_counts=True)
        return float(np.square(counts / counts.sum()).sum())

    def held_tokens(self, block: int, *, whole: bool) -> float:
        """Tokens of cache that a running request takes, in whole blocks, on average over its time.

        `whole`: all that it will come to is set aside; else what it holds so far.
        """
        steps = np.maximum(self.outputs - 1, 1)
        tokens = self.prompts + (self.outputs if whole else (self.outputs + 1) / 2)
        in_blocks = np.ceil(tokens / block) * block
        return float((steps * in_blocks).sum() / steps.sum())

    def longest(self) -> tuple[int, int]:
        """The request that takes most tokens: what it reads and writes."""
        place = int(np.argmax(self.prompts + self.outputs))
        return int(self.prompts[place]), int(self.outputs[place])

    def prompt_points(self) -> tuple[Array, Array]:
        """Prompts to time, whole tokens, and the share of requests that each stands for."""
        found, counts = np.unique(self.prompts, return_counts=True)
        if found.size <= MOST_POINTS:
            return found, counts / counts.sum()
        parts = np.array_split(np.sort(self.prompts), MOST_POINTS)
        points = np.array([max(1.0, np.round(part.mean())) for part in parts])
        return points, np.array([part.size for part in parts]) / self.prompts.size


def fixed_lengths(prompt: int, output: int) -> Lengths:
    """One length of all requests."""
    return Lengths(prompts=np.array([float(prompt)]), outputs=np.array([float(output)]))


def lengths_of_trace(path: str | Path) -> Lengths:
    """The requests of a CSV or Parquet file, one a row.

    Raises InvalidValueError where there is no such file, FileContentError for a file without requests or
    with lengths that are no positive, plausible integers.
    """
    from infersim.files.reading import rows_of

    file = Path(path)
    prompts, outputs = [], []
    for where, cells in rows_of(file, "trace"):
        by_name = {str(name).lower(): value for name, value in cells.items()}
        if len(by_name) < len(cells):
            raise FileContentError(where, "columns", ", ".join(cells), "each column once, in any case")
        prompts.append(_tokens(where, by_name, PROMPT_NAMES))
        outputs.append(_tokens(where, by_name, OUTPUT_NAMES))
    if not prompts:
        raise FileContentError(file.name, "rows", 0, "at least one request")
    return Lengths(prompts=np.array(prompts), outputs=np.array(outputs), name=file.name)


def check_together(prompt: int, output: int) -> None:
    """Refuse lengths that make a context beyond any."""
    if prompt + output > MAX_CONTEXT:
        raise InvalidValueError("prompt + output", prompt + output, f"at most {MAX_CONTEXT} tokens")


def _tokens(where: str, cells: dict[str, object], names: tuple[str, ...]) -> float:
    found = [(name, cells[name.lower()]) for name in names if name.lower() in cells]
    key, value = found[0] if found else (names[0], None)
    for other, told in found[1:]:
        if told != value:
            raise FileContentError(
                where, other, told, f"{value}, as the column {key} has it, or one of the two"
            )
    expected = f"a whole number of tokens from 1 to {MAX_CONTEXT} (a column {' or '.join(names[:3])})"
    try:
        number = float(str(value)) if value is not None else float("nan")
    except ValueError:
        number = float("nan")
    if not (1 <= number <= MAX_CONTEXT and number == np.floor(number)):
        raise FileContentError(where, key, value, expected)
    return number
