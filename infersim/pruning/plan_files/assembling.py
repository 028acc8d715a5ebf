"""What all plan files share: the dense model that a file is about, and a plan from the blocks it left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infersim.domain.errors import FileContentError, UnknownNameError
from infersim.files.errors import located
from infersim.pruning.families.static_m import is_empty, without
from infersim.pruning.plan import Plan
from infersim.pruning.recognition import recognise
from infersim.workload.presets import load_model
from infersim.workload.transformer import Block, Transformer


def dense_model(named: str | None, file: Path, base: Transformer | None) -> Transformer:
    """The caller's model if there is one, else the one `named`; a file for another model is refused."""
    if named is None:
        return needed_model(file, base)
    with located(file, "model"):
        model = load_model(named)
    return checked_model(model, named, file, base)


def needed_model(file: Path, base: Transformer | None) -> Transformer:
    """The caller's model, which this file does not name; FileContentError where there is none."""
    if base is None:
        raise FileContentError(file, "model", None, "the name of the dense model")
    return base


def model_of_checkpoint(named: str, file: Path, key: str, base: Transformer | None) -> Transformer:
    """The caller's model, or the preset of a checkpoint's name.

    Checkpoints have more names than presets: one that is not known says nothing against the caller's model.
    """
    try:
        model = load_model(named)
    except UnknownNameError:
        if base is None:
            expected = "a known model, or the dense model beside the plan (--model)"
            raise FileContentError(file, key, named, expected) from None
        return base
    return checked_model(model, named, file, base)


def checked_model(named: Transformer, name: str, file: Path, base: Transformer | None) -> Transformer:
    """`named`, unless the caller's model is another."""
    if base is not None and base.blocks != named.blocks:
        raise FileContentError(file, "model", name, f"{base.name}, the model that is pruned")
    return named if base is None else base


def plan_of_blocks(model: Transformer, blocks: Sequence[Block], *, file: Path, key: str, name: str) -> Plan:
    """The plan that makes `blocks` of the model's, one for each; the families in it are recognised.

    `key` is the file's key at fault where nothing is left, or nothing is pruned.
    """
    kept = tuple(block for block in blocks if not is_empty(block))
    if not kept:
        raise FileContentError(file, key, "every layer", "at least one layer to stay")
    transformer = model.with_blocks(kept)
    found = recognise(model, transformer, list(zip(model.blocks, blocks, strict=True)))
    return Plan(
        base=model,
        transformer=transformer,
        steps=found.steps,
        targets=found.targets,
        name=name,
    )


def pruned_at_all(plan: Plan, file: Path, key: str) -> Plan:
    """`plan`, unless it changes nothing."""
    if not plan.steps:
        raise FileContentError(file, key, "the dense model", "something to prune")
    return plan


def without_layers(model: Transformer, removed: Sequence[int]) -> list[Block]:
    """The model's blocks, those of the removed layers empty."""
    gone = set(removed)
    return [without(block, attention=i in gone, ffn=i in gone) for i, block in enumerate(model.blocks)]
