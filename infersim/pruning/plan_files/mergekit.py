"""mergekit's passthrough merges of one model as plans: the layers that no slice keeps are gone.

    slices:
      - sources:
          - model: meta-llama/Llama-3.1-8B
            layer_range: [0, 22]           # 0 to 21: the end does not belong to it
      - sources:
          - model: meta-llama/Llama-3.1-8B
            layer_range: [29, 32]
    merge_method: passthrough

The keys are those of `MergeConfiguration` in mergekit/config.py (github.com/arcee-ai/mergekit@007d093).
PruneMe writes such files. A merge that repeats or reorders layers, mixes models or averages weights is no
pruning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.files.reading import checked_tables
from infersim.files.tables import Table
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import (
    model_of_checkpoint,
    plan_of_blocks,
    pruned_at_all,
    without_layers,
)
from infersim.workload.transformer import Transformer

KEYS = frozenset({"slices", "merge_method", "models", "modules"})
"""A file that has one of these is mergekit's."""

PASSTHROUGH = "passthrough"
STORED_DTYPES = ("bfloat16", "float16", "auto")

LayerNumber = Annotated[int, Field(ge=0)]


class Source(Table):
    """Layers of one model; `parameters` scale weights, which changes no shape."""

    model: str | dict[str, Any]
    layer_range: Annotated[list[LayerNumber], Field(min_length=2, max_length=2)]
    parameters: Any = None


class Slice(Table):
    """Layers of the result, which a passthrough merge takes from one source."""

    sources: Annotated[list[Source], Field(min_length=1)]
    base_model: Any = None
    parameters: Any = None
    residual_weight: Any = None


class Merge(Table):
    """The whole file; what is named here and not used says nothing about shapes."""

    slices: Annotated[list[Slice], Field(min_length=1)]
    merge_method: str
    base_model: Any = None
    parameters: Any = None
    dtype: str | None = None
    out_dtype: str | None = None
    tokenizer_source: Any = None
    tokenizer: Any = None
    chat_template: Any = None


NESTED: dict[str, type[Table]] = {"slices": Slice, "sources": Source}


def plan_of_merge(content: Mapping[str, object], file: Path, base: Transformer | None) -> Plan:
    """The depth plan that a passthrough merge of one model is; UnsupportedError where it is another merge."""
    for key in ("models", "modules"):
        if content.get(key) is not None:
            raise UnsupportedError(f"{file}: {key} merge whole models; a plan needs slices of one model")
    merge = checked_tables(content, file, Merge, NESTED)
    _check(merge, file)
    model = model_of_checkpoint(_only_model(merge, file), file, "slices[0].sources[0].model", base)
    kept = set(_kept_layers(merge, len(model.blocks), file))
    removed = [layer for layer in range(len(model.blocks)) if layer not in kept]
    plan = plan_of_blocks(model, without_layers(model, removed), file=file, key="slices", name=file.stem)
    return pruned_at_all(plan, file, "slices")


def _check(merge: Merge, file: Path) -> None:
    if merge.merge_method != PASSTHROUGH:
        reason = f"merge_method {merge.merge_method} mixes weights; a plan comes of {PASSTHROUGH} alone"
        raise UnsupportedError(f"{file}: {reason}")
    for key, dtype in (("dtype", merge.dtype), ("out_dtype", merge.out_dtype)):
        if dtype is not None and dtype not in STORED_DTYPES:
            expected = f"one of {', '.join(STORED_DTYPES)}, or say it with --dtype"
            raise FileContentError(file, key, dtype, expected)
    for index, part in enumerate(merge.slices):
        if len(part.sources) > 1:
            key = f"slices[{index}].sources"
            raise UnsupportedError(f"{file}: {key} stacks {len(part.sources)} sources; a plan needs one each")
        if part.residual_weight is not None:
            raise UnsupportedError(
                f"{file}: slices[{index}].residual_weight adds a second path; no plan does"
            )


def _only_model(merge: Merge, file: Path) -> str:
    names = [_name(source.model) for part in merge.slices for source in part.sources]
    if len(set(names)) > 1:
        listed = ", ".join(dict.fromkeys(names))
        raise UnsupportedError(f"{file}: slices come from several models ({listed}); a plan prunes one")
    return names[0]


def _name(model: str | dict[str, Any]) -> str:
    """The checkpoint's name; a merged-in LoRA, after a `+`, has its shapes."""
    inner = model.get("model", model) if isinstance(model, dict) else model
    path = inner.get("path", inner) if isinstance(inner, dict) else inner
    return str(path).partition("+")[0].strip()


def _kept_layers(merge: Merge, count: int, file: Path) -> Iterator[int]:
    """The layers of all slices; each slice must begin where the one before ended, or later."""
    after = 0
    for index, part in enumerate(merge.slices):
        first, end = part.sources[0].layer_range
        key = f"slices[{index}].sources[0].layer_range"
        if not first < end <= count:
            expected = f"[first, end] with 0 <= first < end <= {count}, the model's layers"
            raise FileContentError(file, key, [first, end], expected)
        if first < after:
            reason = f"{key} = [{first}, {end}] repeats or reorders layers that an earlier slice has"
            raise UnsupportedError(f"{file}: {reason}; a pruned model keeps each layer once, in order")
        after = end
        yield from range(first, end)
