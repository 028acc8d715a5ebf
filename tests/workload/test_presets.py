"""Presets by name and alias, and models from a user's own path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.workload.presets import list_models, load_model, model_aliases
from tests.workload.examples import sublayers
from tests.workload.hf.test_reading import LLAMA

EXPECTED = {
    "llama-2-7b", "llama-2-13b", "llama-2-70b", "llama-3.1-8b", "llama-3.1-70b", "llama-3.2-1b",
    "mixtral-8x7b", "qwen3-30b-a3b", "qwen3-235b-a22b", "gpt-oss-20b", "gpt-oss-120b", "deepseek-v3",
    "minimax-m2.5", "kimi-k2", "llama-3.2-3b", "qwen2.5-7b", "qwen2.5-14b", "qwen3-8b", "qwen3-14b",
    "qwen3-32b", "mistral-7b",
}  # fmt: skip


def test_presets_are_listed() -> None:
    assert set(list_models()) >= EXPECTED
    assert list_models() == sorted(list_models())


@pytest.mark.parametrize("name", list_models())
def test_every_preset_loads_by_every_name(name: str) -> None:
    model = load_model(name)
    assert model.name == name
    for alias in model_aliases(name):
        assert load_model(alias) == model


@pytest.mark.parametrize("name", ["LLaMA-3.1-8B", "meta-llama/Llama-3.1-8B", "META-LLAMA/LLAMA-3.1-8B"])
def test_case_does_not_matter(name: str) -> None:
    assert load_model(name) == load_model("llama-3.1-8b")


def test_names_and_aliases_are_unique() -> None:
    names = [name.lower() for preset in list_models() for name in (preset, *model_aliases(preset))]
    assert len(names) == len(set(names))


def test_what_sets_families_apart() -> None:
    assert [linear.bias for linear in sublayers(load_model("qwen2.5-7b"))[0].linears] == [True] * 3 + [False]
    assert sublayers(load_model("qwen3-8b"))[0].qk_norm
    # Qwen3-32B: 64 heads of 128 on a stream of 5120.
    assert sublayers(load_model("qwen3-32b"))[0].o.in_features == 8192 != load_model("qwen3-32b").hidden
    assert load_model("llama-3.2-1b").tied_embeddings
    assert sublayers(load_model("mistral-7b-v0.1"))[0].window == 4096
    assert sublayers(load_model("mistral-7b"))[0].window is None


def test_presets_of_quantised_checkpoints_say_so() -> None:
    told = {name: " ".join(load_model(name).notes) for name in list_models()}
    assert {name for name, note in told.items() if "published in" in note} == {
        "deepseek-v3", "deepseek-v3.2", "minimax-m2.5", "kimi-k2",
    }  # fmt: skip
    assert "fp8_block; the preset is taken in 16 bit unless --dtype" in told["deepseek-v3"]


def test_unknown_names_list_what_is_known() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'llama-3\.1-8': .*llama-3\.1-8b"):
        load_model("llama-3.1-8")
    with pytest.raises(UnknownNameError, match=r"known: .*qwen3-32b"):
        load_model("someone/some-model")
    with pytest.raises(InvalidValueError, match="a name, or a path"):
        load_model("x" * 5000)  # longer than any file name may be
    with pytest.raises(UnknownNameError):
        model_aliases("nothing")


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert load_model(tmp_path) == load_model(str(tmp_path)) == load_model(str(tmp_path / "config.json"))
    with pytest.raises(InvalidValueError):
        load_model(str(tmp_path / "other.json"))
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(FileContentError):
        load_model(tmp_path)


def test_listing_models_loads_no_pydantic() -> None:
    """Start-up time of the command line: checking files is paid for when a file is read."""
    code = "import sys, infersim.workload.presets as p; p.list_models(); assert 'pydantic' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
