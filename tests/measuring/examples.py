"""Rows to measure, and the command of a measuring process that only pretends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FAKE_WORKER = (sys.executable, str(Path(__file__).parent / "fake_worker.py"))
SETUP: dict[str, Any] = {"device": "fake", "threads": 1, "clock": "wall", "cache": "cold"}


def gemm(m: int, **more: Any) -> dict[str, Any]:
    """A planned GEMM with m tokens."""
    return {"kind": "gemm", "dtype": "fp32", "m": m, "n": 64, "k": 64, **more}
