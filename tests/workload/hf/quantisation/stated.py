"""A small Llama with formats stated, and what came of it."""

from __future__ import annotations

from typing import Any

from infersim.domain.shapes import WeightForm
from infersim.workload.formats import named_matrices
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Transformer
from infersim.workload.weight_format import WeightFormat

SMALL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
}


def stating(key: str = "quantization_config", **stated: Any) -> Transformer:
    """The model whose file states `stated`."""
    return transformer_from_config(SMALL | {key: stated}, name="mine", file="some.json")


def formats(model: Transformer) -> dict[str, WeightFormat | None]:
    """The format of each matrix of each layer: `0.q`."""
    return {
        f"{layer}.{name}": linear.format
        for layer, block in enumerate(model.blocks)
        for name, linear in named_matrices(block)
    }


def only_format(model: Transformer) -> WeightFormat:
    """The one format of all block matrices."""
    (found,) = set(formats(model).values())
    assert found is not None
    return found


def kept(model: Transformer) -> set[str]:
    """Matrices that stay in 16 bit."""
    return {name for name, stored in formats(model).items() if stored is None}


def sparse(model: Transformer) -> set[str]:
    """Matrices in 2:4 form."""
    return {
        f"{layer}.{name}"
        for layer, block in enumerate(model.blocks)
        for name, linear in named_matrices(block)
        if linear.form is WeightForm.SPARSE_2_4
    }


def every(*names: str) -> set[str]:
    """Matrices of all four layers."""
    return {f"{layer}.{name}" for layer in range(4) for name in names}


ALL = every("q", "k", "v", "o", "gate", "up", "down")
