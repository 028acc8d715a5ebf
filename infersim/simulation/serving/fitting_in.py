"""What is missing where a single request does not fit, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.errors import InfersimError
from infersim.domain.profile import HardwareProfile
from infersim.simulation.serving.memory import serving_memory
from infersim.simulation.speedups.columns import GIB
from infersim.simulation.speedups.sharing import why_not_linked
from infersim.workload.formats import block_formats
from infersim.workload.parallel.dividing import dividing_counts
from infersim.workload.scenario import Execution
from infersim.workload.transformer import Transformer

if TYPE_CHECKING:
    from infersim.simulation.serving.service import Service

MOST_GPUS = 8
"""More GPUs are not suggested: what most nodes have."""

SMALLER = ("fp8", "w4a16")
"""Formats that are tried, the less lossy one first."""


def missing_text(transformer: Transformer, profile: HardwareProfile, service: Service, tokens: int) -> str:
    """How much memory one request of so many tokens lacks, and what would do."""
    there = service.on(profile)
    memory = serving_memory(transformer, profile, there.engine, there.execution)
    missing = memory.missing_bytes(tokens) / GIB
    helps = list(_helps(transformer, profile, service, tokens))
    each = " on each" if service.gpus > 1 else ""
    hint = f", for which {_either(helps)} would do" if helps else ""
    return (
        f"{transformer.name} on {_gpus(profile, service.gpus)}: {missing:.1f} GiB are missing for one "
        f"request of {tokens:,} tokens{each} (weights {memory.weights_bytes / GIB:.1f} GiB of "
        f"{profile.memory.total_bytes / GIB:.1f}){hint}"
    )


def _helps(
    transformer: Transformer, profile: HardwareProfile, service: Service, tokens: int
) -> Iterator[str]:
    """Smaller formats where the model's file states none, more GPUs, and the smallest GPU that holds it."""
    from infersim.profile_files.profiles import list_profiles, load_profile

    def lacks(gpu: HardwareProfile, execution: Execution) -> bool:
        there = replace(service, execution=execution).on(gpu)
        found = serving_memory(transformer, gpu, there.engine, there.execution)
        return found.missing_bytes(tokens) > 0

    if not block_formats(transformer):
        for name in SMALLER:
            execution = replace(service.execution, precision=PRECISIONS[name], explicit=True)
            if DType(PRECISIONS[name].math) in profile.matrix and not lacks(profile, execution):
                yield f"--dtype {name}"
                break
    for count in dividing_counts(transformer, most=MOST_GPUS):
        more = replace(service.execution, gpus=count)
        if count > service.gpus and not why_not_linked(profile, [more]) and not lacks(profile, more):
            yield f"--gpus {count}"
            break
    larger = []
    for name in list_profiles():
        try:
            gpu = load_profile(name)
        except InfersimError:
            continue
        if gpu.memory.total_bytes > profile.memory.total_bytes and not lacks(gpu, service.execution):
            larger.append((gpu.memory.total_bytes, name))
    if larger:
        yield f"a GPU such as {min(larger)[1]} ({min(larger)[0] / GIB:.0f} GiB)"


def _either(several: list[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(several[:-1]), several[-1])))


def _gpus(profile: HardwareProfile, count: int) -> str:
    return profile.name if count == 1 else f"{count} x {profile.name}"
