"""Experts pruned in weight files: the plan that is recognised is the one that made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import UnsupportedError
from infersim.pruning.composition import prune
from infersim.pruning.plan import OptionValue, Plan
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Transformer
from tests.pruning.expert_models import experts_of
from tests.workload.checkpoint.test_experts import QWEN3, heads, one_by_one, qwen3
from tests.workload.checkpoint.writing import write_checkpoint

CONFIG = QWEN3 | {"decoder_sparse_step": 1}
"""It leaves no size to the model's class, which would be told."""


@pytest.fixture
def dense() -> Transformer:
    """Three layers of four experts, two a token."""
    return transformer_from_config(CONFIG, name="dense")


def written(folder: Path, made: Transformer, config: dict[str, Any]) -> Path:
    """The weight files of a model's experts, whatever the config says."""
    layers = [experts_of(block) for block in made.blocks]
    width = layers[0].width
    tensors = qwen3(*(layer.num_experts for layer in layers), width=width)
    return write_checkpoint(folder / "pruned", config, tensors)


def found_steps(plan: Plan) -> list[tuple[str, float]]:
    return [(step.family, round(step.sparsity_realised, 12)) for step in plan.steps]


@pytest.mark.parametrize("told", [{}, {"num_experts": 2}], ids=["config of the dense model", "own config"])
def test_a_half_of_the_experts(dense: Transformer, tmp_path: Path, told: dict[str, int]) -> None:
    made = prune(dense, "static-e", 0.5)
    found = plan_from_config(dense, written(tmp_path, made.transformer, CONFIG | told))
    assert found.transformer.blocks == made.transformer.blocks
    assert found.targets == made.targets
    assert found_steps(found) == [("static-e", 0.5)]
    assert found.recognised == "found static-e 50 %"
    contradicted = not told  # by the headers, which outrank the config; that is told
    assert bool(found.transformer.notes) == contradicted


@pytest.mark.parametrize(
    ("family", "sparsity", "options"),
    [("static-e", 0.25, {}), ("static-nk", 0.5, {"target": "experts", "align": 32})],
)
def test_what_a_family_made_of_experts_is_recognised(
    dense: Transformer, tmp_path: Path, family: str, sparsity: float, options: dict[str, OptionValue]
) -> None:
    made = prune(dense, family, sparsity, **options)
    found = plan_from_config(dense, written(tmp_path, made.transformer, CONFIG))
    assert found.transformer.blocks == made.transformer.blocks
    assert [step.family for step in found.steps] == [family]


def test_counts_of_each_layer_and_fewer_a_token(dense: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "it", CONFIG | {"num_experts_per_tok": 1}, qwen3(4, 2, 3))
    found = plan_from_config(dense, folder)
    assert [experts_of(block).num_experts for block in found.transformer.blocks] == [4, 2, 3]
    assert found_steps(found) == [("static-e", 0.25), ("dynamic-e", 0.5)]


def test_a_layer_gone_and_experts_gone(dense: Transformer, tmp_path: Path) -> None:
    tensors = {name: each for name, each in qwen3(3, 3, 3).items() if "layers.1." not in name}
    found = plan_from_config(dense, write_checkpoint(tmp_path / "it", CONFIG, tensors))
    assert [step.family for step in found.steps] == ["static-m", "static-e"]
    assert found.transformer.layer_numbers == (0, 2)
    assert found.steps[1].sparsity_realised == pytest.approx(0.25)


def test_a_layer_without_experts_where_they_are_gone_as_a_whole(dense: Transformer, tmp_path: Path) -> None:
    tensors = {name: each for name, each in qwen3(4, 4, 4).items() if "layers.1.mlp" not in name}
    del tensors["model.layers.1.post_attention_layernorm.weight"]
    found = plan_from_config(dense, write_checkpoint(tmp_path / "it", CONFIG, tensors))
    assert found.transformer.blocks[1].ffn is None
    assert [step.family for step in found.steps] == ["static-m"]


def test_more_experts_than_the_dense_model_has(dense: Transformer, tmp_path: Path) -> None:
    more = qwen3(4, 4, 4) | heads(1) | one_by_one(1, experts=6)
    folder = write_checkpoint(tmp_path / "it", CONFIG, more)
    with pytest.raises(UnsupportedError, match="layer 1 has 6 experts, more than 4"):
        plan_from_config(dense, folder)
