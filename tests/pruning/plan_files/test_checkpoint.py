"""Really pruned models as plans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infersim.domain.errors import UnsupportedError
from infersim.domain.ops import Part
from infersim.pruning.composition import prune
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.presets import load_model
from infersim.workload.transformer import Linear, ReplacedSublayer, Transformer
from tests.pruning.looking import ffn_of

CONFIGS = Path(__file__).parents[4] / "shared" / "data" / "hf_configs"
NEMOTRON = CONFIGS / "nvidia--Llama-3_3-Nemotron-Super-49B-v1.json"

ATTENTION_70B = 8192 * (8192 + 1024 + 1024 + 8192)
COLUMN_70B = 3 * 8192
WIDTH_70B = 28672
"""Parameters of attention and of one FFN column of Llama-3.1-70B, and how many columns it has."""


def test_nemotron_super_is_pruned_in_depth_and_width() -> None:
    if not NEMOTRON.is_file():
        pytest.skip(f"needs {NEMOTRON.name} in {CONFIGS}")
    choices = json.loads(NEMOTRON.read_text(encoding="utf-8"))["block_configs"]
    without = sum(choice["attention"]["no_op"] for choice in choices)
    # DeciLM's width: int(2 / 3 x ffn_mult x hidden), rounded up to a multiple of 256.
    widths = [-(-int(2 * choice["ffn"]["ffn_mult"] * 8192 / 3) // 256) * 256 for choice in choices]

    plan = plan_from_config(load_model("llama-3.1-70b"), NEMOTRON)
    depth, width = plan.steps
    assert (plan.family, plan.sparsity, plan.name) == ("static-m + static-nk", None, NEMOTRON.stem)
    assert plan.targets == {Part.QKVO, Part.ATTENTION, Part.FFN}
    total = 80 * (ATTENTION_70B + WIDTH_70B * COLUMN_70B)
    gone = without * ATTENTION_70B
    left = total - gone
    narrowed = (80 * WIDTH_70B - sum(widths)) * COLUMN_70B
    assert without == 31
    assert depth.sparsity_realised == pytest.approx(gone / total, abs=1e-12)
    assert width.sparsity_realised == pytest.approx(narrowed / left, abs=1e-12)
    assert plan.sparsity_realised == pytest.approx((gone + narrowed) / total, abs=1e-12)
    assert 49e9 < (1 - plan.params_removed) * 70.55e9 < 51e9


def test_llama_3_2_3b_is_a_pruned_8b(llama: Transformer) -> None:
    plan = plan_from_config(llama, "llama-3.2-3b")
    assert plan.family == "static-m + static-nk + static-nk-cross"
    realised = [step.sparsity_realised for step in plan.steps]
    # 28 of 32 layers; 24 of 32 heads beside 8 KV heads of 128, FFN 8192 of 14336; hidden 3072 of 4096.
    widths = (2 * 24 * 128 + 2 * 8 * 128 + 3 * 8192) / (2 * 32 * 128 + 2 * 8 * 128 + 3 * 14336)
    assert realised == pytest.approx([4 / 32, 1 - widths, 0.25], abs=1e-12)
    assert plan.sparsity_realised == pytest.approx(1 - 28 / 32 * widths * 0.75, abs=1e-12)
    assert Part.LM_HEAD in plan.targets


@pytest.mark.parametrize(
    ("family", "sparsity"), [("static-m", 0.25), ("static-nk", 0.3), ("static-nk-cross", 0.5)]
)
def test_what_a_family_made_is_recognised(llama: Transformer, family: str, sparsity: float) -> None:
    made = prune(llama, family, sparsity)
    found = plan_from_config(llama, made.transformer)
    assert found.family == family
    assert found.steps[0].sparsity_realised == pytest.approx(made.steps[0].sparsity_realised, abs=1e-12)
    assert found.targets == made.targets


def test_layers_of_different_windows_may_be_gone() -> None:
    """Of eight layers, six in windows: what goes is a layer, whatever its window."""
    config = {"model_type": "gemma3_text", "hidden_size": 512, "num_hidden_layers": 8}
    base = transformer_from_config(config)
    kinds = ["sliding_attention"] * 4 + ["full_attention"] * 2
    shorter = transformer_from_config(config | {"num_hidden_layers": 6, "layer_types": kinds})
    plan = plan_from_config(base, shorter)
    assert plan.family == "static-m"
    assert plan.sparsity_realised == pytest.approx(0.25)


def test_padding_blocks_are_no_layers() -> None:
    """Four dense layers; of the pruned file's six blocks two do nothing and one lost its attention."""
    sizes = {
        "hidden_size": 1024,
        "num_attention_heads": 8,
        "vocab_size": 1000,
        "max_position_embeddings": 2048,
    }
    base = transformer_from_config(
        {
            "model_type": "llama",
            **sizes,
            "intermediate_size": 2048,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
        }
    )
    whole = {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 3.0}}
    bare = {"attention": {"no_op": True}, "ffn": {"ffn_mult": 3.0}}
    nothing = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    blocks = [whole, nothing, whole, nothing, bare, whole]
    pruned = {"model_type": "nemotron-nas", **sizes, "num_hidden_layers": 6, "block_configs": blocks}
    plan = plan_from_config(base, transformer_from_config(pruned))
    attention, ffn = 1024 * (2 * 1024 + 2 * 256), 3 * 1024 * 2048
    assert plan.family == "static-m"
    assert plan.sparsity_realised == pytest.approx(attention / (4 * (attention + ffn)))


def test_an_unchanged_model_has_no_steps(llama: Transformer) -> None:
    assert plan_from_config(llama, llama).family == "dense"


def test_a_sublayer_replaced_by_a_linear_layer_counts_as_removed(llama: Transformer) -> None:
    linear = Linear(out_features=4096, in_features=4096)
    first = replace(llama.blocks[0], ffn=ReplacedSublayer(linear=linear))
    plan = plan_from_config(llama, llama.with_blocks((first, *llama.blocks[1:])))
    assert plan.family == "static-m"
    assert plan.targets == {Part.FFN}
    assert plan.sparsity_realised == pytest.approx((176_160_768 - 4096**2) / (32 * 218_103_808), abs=1e-12)


def test_what_cannot_have_come_from_the_base_is_refused(llama: Transformer) -> None:
    bare = prune(llama, "static-m", 0.5, target="ffn").transformer
    small = prune(llama, "static-nk", 0.5).transformer
    mixed = llama.with_blocks((small.blocks[0], *llama.blocks[1:]))
    ungated = replace(llama.blocks[0], ffn=replace(ffn_of(llama.blocks[0]), gate=None))
    for base, pruned, reason in (
        (llama, load_model("llama-3.1-70b"), "8192.*4096"),
        (small, llama, "layer 0 has widths"),
        (llama.with_blocks(llama.blocks[:4]), llama, r"\b32 layers.*\b4\b"),
        (mixed, mixed.with_blocks(mixed.blocks[:30]), "2 layers.*dense"),
        (bare, llama, "layer 15.*sublayer"),
        (llama, llama.with_blocks((ungated, *llama.blocks[1:])), "layer 0.*FFN"),
    ):
        with pytest.raises(UnsupportedError, match=reason):
            plan_from_config(base, pruned)
