"""What starts browsers for tests ends them, whatever they do, and says what hung."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import tests.browsing
from tests.browsing import browse, draw_by, step

psutil = pytest.importorskip("psutil")

pytestmark = pytest.mark.browser


async def endless() -> None:
    await asyncio.sleep(600)


def test_a_browser_that_never_answers_is_told_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "chromium"
    silent.write_text("#!/bin/sh\ntrap '' TERM\nsleep 600\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(tests.browsing, "TRIES", 1)
    monkeypatch.setattr(tests.browsing, "STEP_S", 10)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(pytest.fail.Exception, match="try 1: start of the browser: nothing for 10 s"):
        browse(lambda *_: endless(), tmp_path)
    assert _left(before) == []


def test_a_step_that_hangs_is_tried_again_in_another_folder(tmp_path: Path) -> None:
    folders = []

    async def visit(browser: Any, folder: Path) -> str:
        folders.append(folder)
        if len(folders) == 1:
            await step("waiting", endless(), limit_s=0.1)
        tab = await browser.new_page()
        return str(await tab.evaluate("'seen'"))

    before = psutil.Process().children(recursive=True)
    assert browse(visit, tmp_path) == "seen"
    assert folders == [tmp_path / "try-1", tmp_path / "try-2"]
    assert _left(before) == []


def test_a_program_that_never_ends_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests.browsing, "PROGRAM_S", 0.2)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(pytest.fail.Exception, match=r"nothing for 0\.2 s, 3 times"):
        draw_by(["/bin/sh", "-c", "mkdir {}; sleep 600 & sleep 600"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["try-1", "try-2", "try-3"]
    assert _left(before) == []


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    async def visit(*_: Any) -> None:
        raise KeyboardInterrupt

    before = psutil.Process().children(recursive=True)
    with pytest.raises(KeyboardInterrupt):
        browse(visit, tmp_path)
    assert _left(before) == []


def _left(before: list[Any]) -> list[Any]:
    """Processes below this one that were not there before and are alive."""
    now = set(psutil.Process().children(recursive=True)) - set(before)
    return list(psutil.wait_procs(now, timeout=5)[1])
