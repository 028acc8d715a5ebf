"""All model types that are read, as data: one entry each, in files by kinship."""

from __future__ import annotations

from collections.abc import Mapping

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.entries import (
    experts,
    gpt,
    latent,
    llama,
    mistral_qwen,
    norms_and_windows,
    parallel,
    shared_experts,
)

ARCHITECTURES: Mapping[str, Architecture] = {
    entry.model_type: entry
    for entry in (
        *llama.ENTRIES,
        *mistral_qwen.ENTRIES,
        *norms_and_windows.ENTRIES,
        *gpt.ENTRIES,
        *parallel.ENTRIES,
        *experts.ENTRIES,
        *shared_experts.ENTRIES,
        *latent.ENTRIES,
    )
}
"""By `model_type`. Searched architectures (`nemotron-nas`) are read by `nemotron_nas`."""
