"""Changing every attention sublayer of a model, for the families that prune inside attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from infersim.domain.errors import UnsupportedError
from infersim.workload.transformer import Attention, Transformer

SPARSE_ATTENTION = "sparse attention"
"""The axis of quality of families that leave out what queries see: what they lose depends on the length of
the task, so they stand beside each other only, task by task."""


def with_attention(model: Transformer, change: Callable[[Attention], Attention]) -> Transformer:
    """The model with `change` applied to each attention; UnsupportedError where it has none."""
    if not any(isinstance(block.attention, Attention) for block in model.blocks):
        raise UnsupportedError(f"{model.name} has no attention left to prune")
    return model.with_blocks(
        tuple(
            replace(block, attention=change(block.attention))
            if isinstance(block.attention, Attention)
            else block
            for block in model.blocks
        )
    )
