"""Pruned checkpoints by their weight files: the plan that is recognised is the one that made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infersim.pruning.composition import prune
from infersim.pruning.families.static_nk import with_heads, with_width
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.formats import StoredMatrix, with_stored_matrices
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.presets import load_model
from infersim.workload.transformer import Attention, Block, Transformer
from tests.pruning.looking import ffn_of
from tests.workload.checkpoint import packing
from tests.workload.checkpoint.llama import CONFIG, Packed, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint


@pytest.fixture
def dense() -> Transformer:
    return transformer_from_config(CONFIG, name="dense")


def written(folder: Path, made: Plan, **options: object) -> Path:
    """The plan's model in a folder whose config is still the dense model's."""
    return write_checkpoint(folder / "pruned", CONFIG, shapes_of(made.transformer), **options)  # type: ignore[arg-type]


def attention(block: Block) -> Attention:
    assert isinstance(block.attention, Attention)
    return block.attention


def check_equal(found: Plan, made: Plan) -> None:
    assert found.transformer.blocks == made.transformer.blocks
    assert replace(found.transformer, name="") == replace(made.transformer, name="")
    assert [step.family for step in found.steps] == [step.family for step in made.steps]
    for one, other in zip(found.steps, made.steps, strict=True):
        assert one.sparsity_realised == pytest.approx(other.sparsity_realised, abs=1e-12)
    assert found.targets == made.targets


def test_a_dense_checkpoint_has_no_steps(dense: Transformer, tmp_path: Path) -> None:
    plan = plan_from_config(dense, written(tmp_path, Plan(base=dense, transformer=dense)))
    assert plan.family == "dense"
    assert plan.recognised == "found nothing that was pruned"
    assert plan.transformer.notes == load_model(tmp_path / "pruned" / "config.json").notes


@pytest.mark.parametrize(
    ("family", "sparsity", "options"),
    [
        ("static-nk", 0.4, {}),
        ("static-nk", 0.25, {"kv_heads": "keep"}),
        ("static-nk", 0.5, {"target": "ffn"}),
        ("static-m", 0.5, {}),
        ("static-m", 0.5, {"target": "attention"}),
        ("static-m", 0.34, {"target": "ffn"}),
        ("static-k-lowrank", 0.5, {}),
        ("static-nk-cross", 0.25, {"residual_maps": 0}),
    ],
)
@pytest.mark.parametrize("shards", [1, 3])
def test_what_a_family_made_is_recognised(
    dense: Transformer,
    tmp_path: Path,
    family: str,
    sparsity: float,
    options: dict[str, str],
    shards: int,
) -> None:
    made = prune(dense, family, sparsity, **options)
    assert made.transformer != dense
    found = plan_from_config(dense, written(tmp_path, made, shards=shards))
    # Of a target alone, realised sparsities are fractions of it; found ones are fractions of all sublayers.
    check_equal(found, plan_from_config(dense, made.transformer) if "target" in options else made)
    assert found.sparsity is None


def test_widths_layer_by_layer_whatever_the_config_says(dense: Transformer, tmp_path: Path) -> None:
    # As LLM-Pruner and FLAP leave them: first and last layer whole, the others narrower one by one.
    blocks = list(dense.blocks)
    for number, (kv_heads, width) in {1: (3, 600), 2: (2, 332), 3: (1, 77), 4: (4, 640)}.items():
        block = blocks[number]
        blocks[number] = replace(
            block,
            attention=with_heads(attention(block), 2 * kv_heads, kv_heads),
            ffn=with_width(ffn_of(block), width),
        )
    pruned = dense.with_blocks(tuple(blocks))
    folder = write_checkpoint(tmp_path / "it", CONFIG, shapes_of(pruned))
    plan = plan_from_config(dense, folder)
    assert plan.transformer.blocks == pruned.blocks
    (step,) = plan.steps
    # Of each layer the widths of q, k, v, o (8 + 4 + 4 + 8 heads of 32) and of gate, up and down.
    whole = 6 * (24 * 32 + 3 * 640)
    gone = sum(6 * (4 - kv) * 32 + 3 * (640 - width) for kv, width in ((3, 600), (2, 332), (1, 77)))
    assert step.family == "static-nk"
    assert step.sparsity_realised == pytest.approx(gone / whole, abs=1e-12)
    notes = "\n".join(plan.transformer.notes)
    assert "FFN width 77 to 640 in the weight files, which count; the config says 640" in notes
    assert "heads 2 to 8 in the weight files" in notes
    assert "in 3 of 6 layers" in notes


def test_missing_layers_by_their_numbers(dense: Transformer, tmp_path: Path) -> None:
    # Layers that differ: which ones are gone matters, and the headers say it.
    blocks = tuple(
        replace(block, ffn=with_width(ffn_of(block), 100 + 10 * number))
        for number, block in enumerate(dense.blocks)
    )
    base = dense.with_blocks(blocks)
    kept = (0, 3, 5)
    left = base.with_blocks(tuple(blocks[number] for number in kept))
    folder = write_checkpoint(tmp_path / "it", CONFIG, shapes_of(left, numbers=kept))
    plan = plan_from_config(base, folder)
    assert plan.transformer.layer_numbers == kept
    assert [step.family for step in plan.steps] == ["static-m"]
    attention = 256 * 32 * 24
    ffn = [3 * 256 * (100 + 10 * number) for number in range(6)]
    gone = 3 * attention + ffn[1] + ffn[2] + ffn[4]
    assert plan.sparsity_realised == pytest.approx(gone / (6 * attention + sum(ffn)), abs=1e-12)
    assert any("not there: 1-2, 4" in note for note in plan.transformer.notes)


def test_several_families_at_once(dense: Transformer, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        '[remove]\nlayers = [1]\nattention = [4]\n[layer."2-3"]\nnum_heads = 4\nnum_kv_heads = 2\n'
        "[layer.0]\nrank = { q = 48, down = 96 }\n[layer.5]\nffn_width = 96\n",
        encoding="utf-8",
    )
    made = plan_from_file(file, dense)
    assert [step.family for step in made.steps] == ["static-m", "static-k-lowrank", "static-nk"]
    found = plan_from_config(dense, written(tmp_path, made))
    check_equal(found, made)
    shares = [f"{step.family} {100 * step.sparsity_realised:.4g} %" for step in made.steps]
    assert found.recognised == f"found {', '.join(shares)}"


def without_formats(model: Transformer) -> Transformer:
    """The model with its matrices as if no file had stated how they are stored."""
    return with_stored_matrices(model, lambda *_: StoredMatrix())


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    "packed", [packing.gptq, packing.awq, packing.fp8, packing.fp8_block, packing.bnb_nf4]
)
@pytest.mark.parametrize(("family", "sparsity"), [("static-nk", 0.5), ("static-m", 0.5), (None, 0.0)])
def test_quantised_models_are_the_same_plans(
    dense: Transformer, tmp_path: Path, packed: Packed, family: str | None, sparsity: float, shards: int
) -> None:
    made = Plan(base=dense, transformer=dense) if family is None else prune(dense, family, sparsity)
    folder = write_checkpoint(tmp_path / "pruned", CONFIG, shapes_of(made.transformer, packed), shards=shards)
    found = plan_from_config(dense, folder)
    assert all(linear.format is not None for block in found.transformer.blocks for linear in block.linears)
    check_equal(replace(found, transformer=without_formats(found.transformer)), made)


@pytest.mark.parametrize("packed", [packing.bitmask_2_4, packing.meta_2_4])
def test_sparse_models(dense: Transformer, tmp_path: Path, packed: Packed) -> None:
    made = prune(dense, "static-k-2:4")
    folder = write_checkpoint(tmp_path / "pruned", CONFIG, shapes_of(made.transformer, packed))
    check_equal(plan_from_config(dense, folder), made)


def test_narrower_and_sparse(dense: Transformer, tmp_path: Path) -> None:
    made = prune(prune(dense, "static-nk", 0.5), "static-k-2:4")
    folder = write_checkpoint(tmp_path / "pruned", CONFIG, shapes_of(made.transformer, packing.bitmask_2_4))
    found = plan_from_config(dense, folder)
    assert found.transformer.blocks == made.transformer.blocks
    assert {step.family for step in found.steps} == {"static-nk", "static-k-2:4"}
    assert found.sparsity_realised == pytest.approx(made.sparsity_realised, abs=1e-12)
