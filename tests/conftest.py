"""What holds for all tests: none calculates with several threads beside others, garbage is soon collected."""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import settings

# How long an example takes says how busy the machine is. A change is judged by the same examples each time;
# `--hypothesis-profile searching` looks for others, as `make bench` does.
settings.register_profile("searching", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# A shell that starts tests in the background has them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def pytest_collection_finish() -> None:
    """Leave the imported libraries out of later collections: measuring a model collects some forty times."""
    gc.collect()
    gc.freeze()
