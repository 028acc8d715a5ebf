"""Options that several commands share, those of `infersim measure` included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

DeviceOption: TypeAlias = Annotated[
    str, typer.Option("--device", help="What is measured: cuda:0, another GPU by number, or cpu.")
]
ThreadsOption: TypeAlias = Annotated[
    int | None, typer.Option("--threads", help="Threads of a CPU. Left out: all its cores.")
]
ClockOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--clock",
        help="Of a CPU: wall, or cpu, which counts only the time that one thread had its core (--threads 1).",
    ),
]


_MODEL = typer.Option(
    "--model", "-m", help="Dense model: a name (infersim models), or a Hugging Face config."
)
ModelOption: TypeAlias = Annotated[str | None, _MODEL]
NeededModelOption: TypeAlias = Annotated[str, _MODEL]
GpuOption: TypeAlias = Annotated[
    str,
    typer.Option("--gpu", "-g", help="GPU by name (infersim gpus) or .toml; several with commas between."),
]
KernelsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--kernels",
        help="Engine whose kernels are predicted: vllm, tensorrt-llm or sglang. Left out: the GPU's default.",
    ),
]
SetOption: TypeAlias = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=NUMBER", help="What-if hardware, such as memory.bandwidth_gb_s=6000."),
]
PhaseOption: TypeAlias = Annotated[
    str, typer.Option("--phase", "-p", help="prefill (time to first token), decode (one step), or both.")
]
PhaseUnlessRequestOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--phase",
        "-p",
        help="prefill (time to first token), decode (one step), or both (the default).",
        show_default=False,
    ),
]
BatchOption: TypeAlias = Annotated[str, typer.Option("--batch", "-b", help="Sequences at once: 1,8")]
ContextOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--context", "-c", help="Tokens: the prompt; in decode all so far: 1024,32768"),
]
RequestOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--request", help="A whole request instead: classification, generation or reasoning."),
]
PromptOption: TypeAlias = Annotated[
    int | None, typer.Option("--prompt", help="Tokens that a request of your own reads.")
]
OutputOption: TypeAlias = Annotated[int | None, typer.Option("--output", help="Tokens that it generates.")]
_DTYPES = (
    "bf16, fp16; fp8, fp8_static, fp8_block, int8 (W8A8); nvfp4, mxfp4; w8a16, w4a16 (weights); tf32, fp32."
)
DtypeOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--dtype", help=f"{_DTYPES} Left out: what the model's file states, else bf16."),
]
KernelDtypeOption: TypeAlias = Annotated[str, typer.Option("--dtype", help=_DTYPES)]
KvDtypeOption: TypeAlias = Annotated[
    str | None, typer.Option("--kv-dtype", help="Data type of the KV cache, if another.")
]
ExecutionOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--execution",
        help="fused (one QKV and one gate-up GEMM, fused elementwise) or separate (eager PyTorch).",
    ),
]
CudaGraphOption: TypeAlias = Annotated[
    bool, typer.Option("--cuda-graph/--no-cuda-graph", help="Launch from a CUDA graph, or from the host.")
]
GpusOption: TypeAlias = Annotated[
    str, typer.Option("--gpus", help="GPUs of one node that share the model: 8; or several: 1,2,4,8.")
]
ExpertParallelOption: TypeAlias = Annotated[
    bool,
    typer.Option("--expert-parallel", help="Each GPU has whole experts instead of a share of each one."),
]
RoutingOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--routing",
        help="How tokens choose experts (default: the model's own): balanced, zipf_0.9, power_law_1.2.",
    ),
]
FamiliesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--families", "--family", "-f", help="Families, or all; options after the name: dynamic-m/target=ffn"
    ),
]
SparsityOption: TypeAlias = Annotated[
    str, typer.Option("--sparsity", "-s", help="Fractions to remove: 0.25,0.5")
]
PlanOption: TypeAlias = Annotated[
    list[Path],
    typer.Option("--plan", help="A plan layer by layer: TOML, or a file of mergekit, ModelOpt and others."),
]
PrunedConfigOption: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        "--pruned",
        "--pruned-config",
        help="A pruned model: its folder, read by its weight files if it has any, or its config.json.",
    ),
]
LayersOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--layers", help="A stack of so many layers, with the model's and the plans' mix of them."),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print rows as JSON.")]
CsvOption: TypeAlias = Annotated[bool, typer.Option("--csv", help="Print rows as CSV.")]
FullOption: TypeAlias = Annotated[
    bool, typer.Option("--full", help="Print every sentence, note and table, not one screen.")
]
HtmlOption: TypeAlias = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page with figures.")
]
FiguresOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        metavar="FOLDER",
        help="Write each figure as PNG and SVG (needs infersim[png], a Chrome).",
    ),
]
