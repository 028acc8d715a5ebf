"""Starts headless Chromium for tests, and never waits for it without an end.

Playwright drives the browser that the system has. What is done in it goes in steps, each with a limit. Where
one hangs, all processes are ended, and the whole is tried again in a folder of its own. What the tries failed
by is told: which step of which page.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    import psutil

T = TypeVar("T")

TRIES = 3
STEP_S, PROGRAM_S = 90, 120
"""How long a browser may take for a step, and a program that starts one: many times what they do."""

ARGUMENTS = (
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class HungError(Exception):
    """A step took longer than `STEP_S`."""


def chromium() -> str:
    """The browser; where there is none the test skips, or fails if INFERSIM_REQUIRE_BROWSER=1."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        _missing("no Chromium is installed")
    return found


def _missing(reason: str) -> NoReturn:
    if os.environ.get("INFERSIM_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and INFERSIM_REQUIRE_BROWSER=1 demands it")
    pytest.skip(reason)


@contextmanager
def one_browser() -> Iterator[str]:
    """The browser, while no other test has one: those that start at once slow each other."""
    path = chromium()
    with FileLock(Path(gettempdir()) / f"infersim-test-browser-{os.getuid()}.lock"):
        yield path


async def step(name: str, doing: Awaitable[T], limit_s: float | None = None) -> T:
    """What `doing` returns, if it does in time."""
    limit_s = limit_s or STEP_S
    try:
        async with asyncio.timeout(limit_s):
            return await doing
    except TimeoutError as error:
        raise HungError(f"{name}: nothing for {limit_s} s") from error


def browse(visit: Callable[[Any, Path], Awaitable[T]], folder: Path) -> T:
    """What `visit` makes of a started browser and a folder, in the first try that does not fail."""
    try:
        from playwright.async_api import Error
    except ImportError:
        _missing("playwright is not installed")
    failed = []
    with one_browser() as path:
        for number in range(1, TRIES + 1):
            own = folder / f"try-{number}"
            own.mkdir(parents=True)
            try:
                return asyncio.run(_browse(visit, own, path))
            except (HungError, Error) as error:
                failed.append(f"try {number}: {error}")
    pytest.fail(f"{path} failed {TRIES} times\n" + "\n".join(failed))


async def _browse(visit: Callable[[Any, Path], Awaitable[T]], folder: Path, path: str) -> T:
    """One try; whatever ends it, no process stays."""
    import psutil
    from playwright.async_api import async_playwright

    before = set(psutil.Process().children(recursive=True))
    manager = async_playwright()
    try:
        playwright = await step("start of playwright", manager.start())
        launch = playwright.chromium.launch(
            executable_path=path, args=[*ARGUMENTS], timeout=0, downloads_path=folder
        )
        browser = await step("start of the browser", launch)
        return await visit(browser, folder)
    finally:
        started = _descendants() - before
        with suppress(HungError):
            await step("end of the browser", manager.__aexit__())
        _end(started)
        await asyncio.sleep(0.1)  # for the loop to see that they ended


def draw_by(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that starts a browser of its own; likewise with a limit, and with other tries.

    `{}` in an argument becomes a folder of the try.
    """
    with one_browser() as path:
        for number in range(1, TRIES + 1):
            own = [argument.format(folder / f"try-{number}") for argument in arguments]
            with subprocess.Popen(
                own,
                env=os.environ | {"BROWSER_PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                try:
                    out, said = process.communicate(timeout=PROGRAM_S)
                    return subprocess.CompletedProcess(own, process.returncode, out, said)
                except subprocess.TimeoutExpired:
                    pass
                finally:
                    if process.poll() is None:
                        _end(_descendants(process.pid))
                        process.kill()
    pytest.fail(f"{' '.join(arguments)}: nothing for {PROGRAM_S} s, {TRIES} times")


def _descendants(pid: int | None = None) -> set[psutil.Process]:
    """All processes that this one, or that of `pid`, started, and those that they did."""
    import psutil

    return set(psutil.Process(pid).children(recursive=True))


def _end(processes: set[psutil.Process]) -> None:
    """Kill what is still there of `processes`."""
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
