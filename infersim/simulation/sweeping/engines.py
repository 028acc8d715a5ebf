"""Where chunks are computed: in this process, in others of this machine, or on a Dask cluster.

All three are executors of the standard library's interface: what runs on them does not know which it is.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, ParamSpec, TypeVar

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.files.fingerprint import code_fingerprint

P = ParamSpec("P")
T = TypeVar("T")

MAX_WORKERS = 256
CONNECT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    """An executor, and how many chunks it should have at hand at once."""

    executor: Executor
    at_once: int


@contextmanager
def open_engine(workers: int = 1, scheduler: str | None = None) -> Iterator[Engine]:
    """`workers` processes of this machine (1: this one), or those of the Dask cluster of `scheduler`.

    Raises InvalidValueError for an impossible number of workers, and InfersimError where there is no such
    cluster or it runs another infersim.
    """
    if scheduler is not None:
        with _dask(scheduler) as engine:
            yield engine
        return
    if not 1 <= workers <= MAX_WORKERS:
        raise InvalidValueError("workers", workers, f"an integer from 1 to {MAX_WORKERS}")
    if workers == 1:
        yield Engine(executor=_AtOnce(), at_once=1)
        return
    executor = ProcessPoolExecutor(workers, mp_context=_Spawning(), initializer=_follow_parent)
    try:
        yield Engine(executor=executor, at_once=2 * workers)
    finally:
        executor.shutdown(cancel_futures=True)


class _AtOnce(Executor):
    """Computes what it is given before it returns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # as any executor does: the future tells it
            future.set_exception(error)
        return future


class _Spawned(SpawnProcess):
    """A process that Ctrl-C does not reach while it starts: it would end in a traceback of its own."""

    def start(self) -> None:
        """Start with interrupts held back, which the new process inherits; here they come right after."""
        if not hasattr(signal, "pthread_sigmask"):
            super().start()
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Spawning(SpawnContext):
    """How such processes are started."""

    Process = _Spawned


def _follow_parent() -> None:
    """Leave interrupting to the parent, and end when it does: killed, it can tell nobody to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(scheduler: str) -> Iterator[Engine]:
    try:
        from distributed import Client
    except ImportError:
        raise InfersimError("--engine dask needs distributed: pip install 'infersim[dask]'") from None
    with _without_log():
        try:
            with _uncollected():
                client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InfersimError(f"no Dask scheduler answers at {scheduler}: {error}") from None
        try:
            cores = _cores_of_equals(client, scheduler)
            yield Engine(executor=client.get_executor(pure=False), at_once=2 * cores)
        finally:
            with suppress(OSError, TimeoutError), _uncollected():
                client.close(timeout=CONNECT_S)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without collecting garbage: a client that never connected stops its loop when it is collected.

    That takes the lock under which a new client starts its own: Dask would wait for itself for ever.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _without_log() -> Iterator[None]:
    """Without the tracebacks that Dask's client logs beside the errors that it raises."""
    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


def _cores_of_equals(client: Any, scheduler: str) -> int:
    """Threads of the cluster's workers, all of which must have this infersim."""
    cores = sum(client.nthreads().values())
    if not cores:
        raise InfersimError(f"the Dask cluster at {scheduler} has no workers")
    here = _installed()
    try:
        elsewhere = client.run(_installed)
    except Exception as error:  # whatever a worker without infersim makes of it
        raise InfersimError(f"a Dask worker at {scheduler} cannot run infersim: {error!r}") from error
    for worker, found in elsewhere.items():
        if found != here:
            raise InfersimError(
                f"the Dask worker {worker} has another infersim ({found[0]}, code {found[1][:12]}) than is "
                f"here ({here[0]}, code {here[1][:12]}); its rows would be others"
            )
    return int(cores)


def _installed() -> tuple[str, str]:
    return version("infersim"), code_fingerprint()
