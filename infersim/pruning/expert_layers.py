"""Layers of experts of a model: what families of experts look at and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.workload.transformer import ExpertLayer, Transformer

FFN_PART = frozenset({Part.FFN})
"""Where the ops of routed experts belong."""


def has_experts(model: Transformer) -> bool:
    """Whether any layer routes tokens to experts."""
    return any(isinstance(block.ffn, ExpertLayer) for block, _ in model.grouped_blocks())


def expert_layers(model: Transformer) -> list[ExpertLayer]:
    """The layers of experts in order; UnsupportedError for a dense model."""
    found = [block.ffn for block in model.blocks if isinstance(block.ffn, ExpertLayer)]
    if not found:
        raise UnsupportedError(f"{model.name} has no layers of experts: none of its FFNs has a router")
    return found


def with_expert_layers(model: Transformer, change: Callable[[ExpertLayer], ExpertLayer]) -> Transformer:
    """The model with `change` applied to each layer of experts, in order."""
    return model.with_blocks(
        tuple(
            replace(block, ffn=change(block.ffn)) if isinstance(block.ffn, ExpertLayer) else block
            for block in model.blocks
        )
    )
