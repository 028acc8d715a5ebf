"""How a model is run, in words: what is the same in every scenario of a question."""

from __future__ import annotations

from collections.abc import Sequence

from infersim.simulation.cases import Case
from infersim.workload.scenario import Execution


def setting_text(execution: Execution, cases: Sequence[Case]) -> str:
    """How the model is run: `bf16, execution fused, CUDA graph on`; of a request also what it generates."""
    cache = f", KV cache {execution.kv_dtype}" if execution.kv_dtype else ""
    graph = "on" if execution.cuda_graph else "off"
    generated = f", {cases[0].output_len} tokens generated" if cases and cases[0].output_len else ""
    return f"{execution.precision.name}{cache}, execution {execution.layout}, CUDA graph {graph}{generated}"
