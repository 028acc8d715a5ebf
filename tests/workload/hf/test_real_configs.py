"""Real published configs, good ones and ones to be refused; the folder is no part of this repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from infersim.domain.errors import UnsupportedError
from infersim.workload.counts import active_parameters, parameters
from infersim.workload.presets import load_model
from infersim.workload.transformer import FeedForward

CONFIGS = Path(__file__).parents[4] / "shared" / "data" / "hf_configs"
pytestmark = pytest.mark.skipif(not CONFIGS.is_dir(), reason=f"no real configs in {CONFIGS}")


@pytest.mark.parametrize(
    ("file", "preset"),
    [
        ("meta-llama--Meta-Llama-3.1-8B.json", "llama-3.1-8b"),
        ("meta-llama--Meta-Llama-3.1-70B.json", "llama-3.1-70b"),
        ("Qwen--Qwen3-8B.json", "qwen3-8b"),
        ("Qwen--Qwen3-32B.json", "qwen3-32b"),
    ],
)
def test_presets_equal_the_published_files(file: str, preset: str) -> None:
    published, ours = load_model(CONFIGS / file), load_model(preset)
    assert published.blocks == ours.blocks
    assert (published.hidden, published.vocab) == (ours.hidden, ours.vocab)
    assert (published.max_position, published.tied_embeddings) == (ours.max_position, ours.tied_embeddings)


def test_qwen3_0_6b() -> None:
    assert parameters(load_model(CONFIGS / "Qwen--Qwen3-0.6B.json")) == pytest.approx(0.596e9, rel=0.005)


def test_nemotron_super_49b() -> None:
    model = load_model(CONFIGS / "nvidia--Llama-3_3-Nemotron-Super-49B-v1.json")
    assert parameters(model) == pytest.approx(49.9e9, rel=0.005)
    assert len(model.blocks) == 80
    # Counted in the file: 31 blocks lost their attention, and eight kinds of block are left.
    assert sum(block.attention is None for block in model.blocks) == 31
    assert len(list(model.grouped_blocks())) == 8
    widths = Counter(block.ffn.width for block in model.blocks if isinstance(block.ffn, FeedForward))
    assert widths == {28672: 49, 14336: 6, 17920: 1, 7168: 10, 5632: 8, 2816: 6}


@pytest.mark.parametrize(
    ("file", "total", "active"),
    [
        ("mistralai--Mixtral-8x7B-v0.1.json", 46.7, 12.9),
        ("deepseek-ai--DeepSeek-V3.json", 671.0, 37.6),
    ],
)
def test_experts(file: str, total: float, active: float) -> None:
    model = load_model(CONFIGS / file)
    assert parameters(model) / 1e9 == pytest.approx(total, abs=0.05)
    assert active_parameters(model) / 1e9 == pytest.approx(active, abs=0.05)


def test_deepseek_is_stored_in_blocks_of_fp8_but_for_its_routers() -> None:
    model = load_model(CONFIGS / "deepseek-ai--DeepSeek-V3.json")
    assert "kept in 16 bit: router (58), embedding, head" in model.stated
    assert "fp8_block" in model.stated
    assert any("num_nextn_predict_layers 1" in note for note in model.notes)


def test_state_space_layers_are_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match="Mamba"):
        load_model(CONFIGS / "nvidia--Nemotron-H-56B-Base-8K.json")
