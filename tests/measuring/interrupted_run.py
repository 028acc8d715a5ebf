"""A run that a test kills: a plan of quick rows into a log, by a measuring process that pretends.

Run as a script: interrupted_run.py LOG ROWS
"""

from __future__ import annotations

import sys
from pathlib import Path

from infersim.measuring.kernel_runs.plan_run import measure_plan
from infersim.measuring.kernel_runs.supervision import Measurer
from tests.measuring.examples import FAKE_WORKER, SETUP, gemm


def main(log: Path, count: int) -> None:
    rows = [gemm(m, seconds=0.01) for m in range(1, count + 1)]
    with Measurer(SETUP, command=FAKE_WORKER) as measurer:
        measure_plan(rows, measurer, log, settings={"plan": "quick"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
