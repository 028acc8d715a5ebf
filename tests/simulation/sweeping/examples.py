"""A small sweep of much at once: GPUs with and without fp8, families with options, phases and a request."""

from __future__ import annotations

PLAN: dict[str, object] = {
    "model": "llama-3.2-1b",
    "gpu": ["a100-sxm-80gb", "l4"],
    "family": ["static-nk", "static-k-2:4", {"name": "dynamic-m", "execution": "gather"}],
    "sparsity": [0.25, 0.5],
    "batch": [1, 8],
    "context": [512, 4096],
    "request": {"prompt": 64, "output": 2},
    "dtype": ["bf16", "fp8"],
    "kv_dtype": ["auto", "bf16"],
}
CHUNK_ROWS = 8
"""So few that there are many chunks."""

ROWS = (1 + 2) * (2 * 4 + 2) * 5
"""Ways to run on each GPU x scenarios (two phases and the request) x plans."""
