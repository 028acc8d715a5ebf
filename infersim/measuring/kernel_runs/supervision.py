"""Keeps a measuring process (`worker`) alive: a kernel that takes it down costs one row, not the run.

The asking process imports no PyTorch and touches no device, and it alone writes the log. So it needs no
markers in the log to find out which kernel crashed: it knows what it asked for last. When it is killed
itself, the worker finds its input closed and ends, and the row is measured again by whoever resumes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, Queue
from typing import Any, Self

from infersim.domain.errors import InfersimError

WORKER: tuple[str, ...] = (sys.executable, "-m", "infersim.measuring.kernel_runs.worker")

START_TIMEOUT_S = 300.0
"""Importing PyTorch from a cold disk and opening a GPU take up to a minute."""

ROW_TIMEOUT_S = 300.0
"""Far more than a kernel within the plans' limits takes; a kernel that hangs takes longer."""

MOST_DEATHS = 10
"""In a row, of different kernels: it is the device then, not the kernels."""

CRASHED = "crashed"
"""How the `status` of a row begins whose kernel took its process with it."""


class WorkerDiedError(Exception):
    """The measuring process ended, or had to be ended, before it answered; the text says how."""


class WorkerProcess:
    """One measuring process and the pipe to it."""

    def __init__(self, setup: Mapping[str, Any], command: Sequence[str] = WORKER) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the asker, who finishes what it writes
        )
        self._answers: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        try:
            self.environment: dict[str, Any] = self.ask(setup, "environment", START_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise

    def ask(self, question: Mapping[str, Any], answer: str, timeout_s: float) -> dict[str, Any]:
        """The entry `answer` of what the process says to `question`.

        Raises WorkerDiedError where it says nothing any more, and InfersimError for an error of the user's.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerDiedError(self._ending()) from None
        try:
            line = self._answers.get(timeout=timeout_s)
        except Empty:
            raise WorkerDiedError(f"no answer in {timeout_s:.0f} s") from None
        if line is None:
            raise WorkerDiedError(self._ending())
        said = json.loads(line)
        if "error" in said:
            raise InfersimError(said["error"])
        if "lost" in said:
            raise WorkerDiedError(said["lost"])
        reply: dict[str, Any] = said[answer]
        return reply

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # a question that it did not live to read
                    pipe.close()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _ending(self) -> str:
        """How the process ended, with the last line that it complained with."""
        code = self._process.wait()
        how = f"signal {-code} ({_signal_name(-code)})" if code < 0 else f"exit status {code}"
        self._stderr.seek(0)
        complaints = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f"{how}: {complaints[-1].strip()}" if complaints else how


class Measurer:
    """Measures row after row in a process that is replaced when a kernel takes it down."""

    def __init__(
        self,
        setup: Mapping[str, Any],
        *,
        command: Sequence[str] = WORKER,
        row_timeout_s: float = ROW_TIMEOUT_S,
    ) -> None:
        self._setup, self._command, self._row_timeout_s = setup, command, row_timeout_s
        self._process = self._started()
        self._deaths = 0
        self.environment: Mapping[str, Any] = self._process.environment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stop()

    def measure(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What measuring adds to `row`; a status that begins with CRASHED where it took the process down.

        Raises InfersimError where no other process can be started, or each that was started died at once.
        """
        try:
            sample = self._process.ask(row, "sample", self._row_timeout_s)
        except WorkerDiedError as death:
            self._process.stop()
            self._deaths += 1
            if self._deaths == MOST_DEATHS:
                raise InfersimError(
                    f"{MOST_DEATHS} kernels in a row took their process with them, the last with: {death}. "
                    "What was measured is in the log"
                ) from None
            self._process = self._started()
            return {"status": f"{CRASHED}: {death}"}
        self._deaths = 0
        return sample

    def _started(self) -> WorkerProcess:
        try:
            return WorkerProcess(self._setup, self._command)
        except WorkerDiedError as death:
            raise InfersimError(f"the measuring process cannot be started: {death}") from None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
