"""The record of an engine: what it costs beside its kernels, its memory rules, and what it takes at all.

The layout of `engines/data/<name>.toml`: tables, keys, types. What an engine runs of pruned models stands
with the families, each of which states its engines.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infersim.files.tables import Table

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Count = Annotated[int, Field(gt=0, le=2**30)]


class KernelTable(Table):
    """`[kernels]`: how they are laid out, whose GEMMs they are, and what is replayed from a CUDA graph.

    Decode steps of up to `graph_batch` sequences are (0: none); each other step is issued by the host.
    `all_reduce` is whose kernels GPUs add up results by: the engine's own (`custom`), a library (`nccl`), or
    `none`: it runs on one GPU. On GPUs of the compute capabilities in `sums_and_norms` it is one kernel with
    the norm behind it, that of TensorRT-LLM. `experts` is how GPUs with whole experts and all tokens go about
    it: each runs its experts and results are added up (`all_reduce`), or tokens are sent to and fro
    (`all_to_all`). On compute capabilities in `narrow_activations` experts that are stored in mxfp4 multiply
    activations of 8 bit, else of 16.
    """

    layout: Literal["fused", "separate"]
    set: Literal["vllm", "tensorrt-llm", "sglang", "torch"]
    graph_batch: Annotated[int, Field(ge=0)]
    all_reduce: Literal["custom", "nccl", "none"]
    sums_and_norms: list[Text]
    narrow_activations: list[Text]
    experts: Literal["all_reduce", "all_to_all"]


class HostTable(Table):
    """`[host]`: what the GPU waits for.

    `step_ms` and `sequence_us` come on top of the kernels of each step, the second for each running sequence:
    scheduling, sampling and detokenising as far as they are not hidden. `hidden_ms` runs beside the kernels
    and is a floor of a step. `kernel_us` is what issuing a kernel takes where no graph is replayed.
    `request_ms` comes once, before the first token: the network, the tokeniser, the queue between processes.
    """

    step_ms: NotNegative
    sequence_us: NotNegative
    hidden_ms: NotNegative
    kernel_us: NotNegative
    request_ms: NotNegative


class SchedulerTable(Table):
    """`[scheduler]`: how many tokens a step may carry, how many sequences run, who is let in, and together.

    `admits` says what a request must find free: `whole` (all that it may come to) or `growing` (what it has
    now; the running ones are put off where the cache fills up). `together` is the share of the running
    requests that come with another: equal requests end, and are followed, together. `mixes`: a step reads
    prompts and writes; else whoever writes waits until prompts are read.
    """

    batched_tokens: Count
    max_sequences: Count
    admits: Literal["whole", "growing"]
    together: Annotated[float, Field(ge=0, le=1)]
    mixes: bool


class NewerGpusTable(Table):
    """`[newer_gpus]`: the host's `step_ms` beside GPUs of `capabilities`: newer hosts, and versions that hide
    more. A file without the table has the same host beside all GPUs.
    """

    capabilities: list[Text]
    step_ms: NotNegative


class SmallerGpusTable(Table):
    """`[smaller_gpus]`: other limits of the scheduler, on GPUs of less memory than `gib` and those of
    `capabilities`. A file without the table has the same limits on all GPUs.
    """

    gib: NotNegative
    capabilities: list[Text]
    batched_tokens: Count
    max_sequences: Count


class MemoryTable(Table):
    """`[memory]`: what becomes KV cache.

    `share` is that of all the device's memory, from which weights, activations and `reserve_gib` go off
    (`of = "total"`; `"static"`: activations lie in the rest, and do not); or of what is free once these are
    off (`"free"`). `block_tokens` are stored together. `fp8_cache`: compute capabilities on which the cache
    is fp8 where weights are 8 or 4 bit floats and nothing else is said.
    """

    share: Share
    of: Literal["total", "static", "free"]
    reserve_gib: NotNegative
    block_tokens: Count
    fp8_cache: list[Text]


class SpreadTable(Table):
    """`[spread]`: 80 % half-widths of log(served / predicted) that the kernels' own intervals do not hold."""

    tpot: Share
    ttft: Share


class RunsTable(Table):
    """`[runs]`: formats of weights that it takes, and since which version it takes shapes that vary by layer.

    `per_layer` empty: no released version does; `per_layer_needs` says what would.
    """

    formats: list[Text]
    per_layer: str
    per_layer_needs: Text


class Engine(Table):
    """One engine. `sources` has an entry for each number, by dotted key."""

    name: Text
    title: Text
    version: Text
    aliases: list[Text]
    kernels: KernelTable
    host: HostTable
    scheduler: SchedulerTable
    memory: MemoryTable
    spread: SpreadTable
    runs: RunsTable
    sources: dict[str, Text]
    newer_gpus: NewerGpusTable | None = None
    smaller_gpus: SmallerGpusTable | None = None

    def on(self, gib: float, compute_capability: str | None) -> Engine:
        """The engine with the numbers that it has on a GPU of so much memory."""
        host, scheduler = self.host, self.scheduler
        newer, smaller = self.newer_gpus, self.smaller_gpus
        if newer is not None and compute_capability in newer.capabilities:
            host = host.model_copy(update={"step_ms": newer.step_ms})
        if smaller is not None and (gib < smaller.gib or compute_capability in smaller.capabilities):
            limits = smaller.model_dump(include={"batched_tokens", "max_sequences"})
            scheduler = scheduler.model_copy(update=limits)
        there = {"host": host, "scheduler": scheduler, "newer_gpus": None, "smaller_gpus": None}
        return self.model_copy(update=there)

    def numbers(self) -> dict[str, float | int | bool | str]:
        """Every value of the tables by dotted key, as `sources` names them."""
        tables = self.model_dump(include=set(TABLES), exclude_none=True)
        return {
            f"{table}.{key}": value if not isinstance(value, list) else ", ".join(value)
            for table, entries in tables.items()
            for key, value in entries.items()
        }


TABLES: dict[str, type[Table]] = {
    "kernels": KernelTable,
    "host": HostTable,
    "scheduler": SchedulerTable,
    "newer_gpus": NewerGpusTable,
    "smaller_gpus": SmallerGpusTable,
    "memory": MemoryTable,
    "spread": SpreadTable,
    "runs": RunsTable,
}
