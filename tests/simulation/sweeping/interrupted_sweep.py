"""A sweep that a test kills. Run as a script: interrupted_sweep.py OUT WORKERS."""

from __future__ import annotations

import sys
from pathlib import Path

from infersim.simulation.sweeping.running import sweep
from tests.simulation.sweeping.examples import CHUNK_ROWS, PLAN


def main(out: Path, workers: int) -> None:
    sweep(PLAN, out, workers=workers, chunk_rows=CHUNK_ROWS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
