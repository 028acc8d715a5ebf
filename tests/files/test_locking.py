"""One process at a time, and no lock that outlives its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError
from infersim.files.locking import locked

HOLD = """
import sys, time
from pathlib import Path
from infersim.files.locking import locked
with locked(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(600)
"""


def holding(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock of `path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_is_refused_until_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holding(path) as process:
        with pytest.raises(InfersimError, match="in use"), locked(path, "in use"):
            pass
        process.kill()
        process.wait()
    with locked(path, "in use"):
        assert path.exists()
    assert not path.exists()


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InfersimError, match="cannot be written"), locked(tmp_path, "busy"):
        pass


def test_what_is_no_lock_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    os.mkfifo(pipe)
    for place in (link, pipe):
        with pytest.raises(InfersimError, match="cannot be written"), locked(place, "busy"):
            pass
    assert target.read_bytes() == b"precious"
    assert link.is_symlink()
    assert pipe.is_fifo()
