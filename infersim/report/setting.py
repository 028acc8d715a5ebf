"""How a model is run, in words: what is the same in every scenario of a question."""

from __future__ import annotations

from infersim.workload.requests import Request
from infersim.workload.scenario import Execution


def setting_text(execution: Execution, request: Request | None = None) -> str:
    """How the model is run: `bf16, execution fused, CUDA graph on`; of a request also what it generates."""
    cache = f", KV cache {execution.kv_dtype}" if execution.kv_dtype else ""
    graph = "on" if execution.cuda_graph else "off"
    generated = f", {request.output_len} tokens generated" if request else ""
    return f"{execution.precision.name}{cache}, execution {execution.layout}, CUDA graph {graph}{generated}"
