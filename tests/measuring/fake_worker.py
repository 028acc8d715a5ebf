"""A measuring process without PyTorch: it speaks the worker's protocol and misbehaves where a row says so.

Run as a script. A row's `behaviour`: `crash` (segmentation fault), `hang`, `lost` (a sticky CUDA error),
`quit` (ends after a complaint), `out of memory`; otherwise it answers with a latency made of the row.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def answer(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    setup = json.loads(sys.stdin.readline())
    if setup.get("device") == "missing":
        answer({"error": "CUDA cannot be used here: measure the CPU with --device cpu"})
        return
    if setup.get("device") == "broken":
        sys.exit("ImportError: libcudart is missing")
    answer({"environment": {"gpu": "fake-gpu", "device": setup["device"], "torch": "0.0", "threads": 1}})
    for line in sys.stdin:
        row = json.loads(line)
        behaviour = row.get("behaviour")
        if behaviour == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if behaviour == "hang":
            time.sleep(600)
        if behaviour == "lost":
            answer({"lost": "CUDA error: an illegal memory access was encountered"})
            return
        if behaviour == "quit":
            sys.exit("RuntimeError: something broke")
        if behaviour == "out of memory":
            answer({"sample": {"status": "out of memory"}})
            continue
        time.sleep(row.get("seconds", 0.0))
        latency_us = float(row["m"])
        answer({"sample": {"latency_us": latency_us, "raw_us": [latency_us] * 60, "status": "ok"}})


if __name__ == "__main__":
    main()
