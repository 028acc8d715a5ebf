"""Layers that other programs removed: mergekit's slices and lists of layers, or why they are no plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InfersimError
from infersim.pruning.composition import prune
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.transformer import Transformer
from tests.toy_models import transformer_from_sizes

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: object, name: str = "plan.json") -> Path:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return file

    return written


def merge(
    *ranges: tuple[int, int], model: str = "meta-llama/Llama-3.1-8B", method: str = "passthrough"
) -> str:
    slices = "".join(
        f"  - sources:\n      - model: {model}\n        layer_range: [{first}, {end}]\n"
        for first, end in ranges
    )
    return f"slices:\n{slices}merge_method: {method}\ndtype: bfloat16\n"


# ---- mergekit


def test_layers_that_no_slice_keeps_are_gone(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write(merge((0, 20), (24, 32)), "merge.yaml"), llama)
    assert (plan.family, plan.name, len(plan.transformer.blocks)) == ("static-m", "merge", 28)
    assert plan.sparsity_realised == pytest.approx(4 / 32)
    assert plan.transformer == prune(llama, "static-m", 4 / 32).transformer


def test_a_merge_keeps_the_very_layers_that_it_names(write: Write) -> None:
    base = transformer_from_sizes(
        hidden=64, layers=6, num_heads=4, num_kv_heads=2, width=128, vocab=100, name="six"
    )
    narrower = prune(base, "static-nk", 0.5).transformer.blocks
    six = base.with_blocks((*base.blocks[:3], *narrower[:1], *base.blocks[:2]))
    plan = plan_from_file(write(merge((0, 3), (4, 6), model="my/own"), "merge.yml"), six)
    assert plan.transformer.blocks == (*six.blocks[:3], *six.blocks[4:])


def test_a_merge_names_its_model(write: Write) -> None:
    assert plan_from_file(write(merge((0, 30)), "m.yaml")).base.name == "llama-3.1-8b"
    with pytest.raises(
        FileContentError, match=r"slices\[0\].sources\[0\].model = 'my/own'; expected a known"
    ):
        plan_from_file(write(merge((0, 30), model="my/own"), "m.yaml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (merge((0, 20), (10, 32)), "slices[1].sources[0].layer_range = [10, 32] repeats or reorders"),
        (merge((20, 32), (0, 10)), "slices[1].sources[0].layer_range = [0, 10] repeats or reorders"),
        (merge((0, 33)), "layer_range = [0, 33]; expected [first, end] with 0 <= first < end <= 32"),
        (merge((5, 5)), "layer_range = [5, 5]; expected"),
        (merge((0, 32)), "slices = 'the dense model'; expected something to prune"),
        (merge((0, 30), method="slerp"), "merge_method slerp mixes weights"),
        (merge((0, 30)) + "residual: 1\n", "residual = 1; expected one of the keys"),
        (merge((0, 30)).replace("bfloat16", "float32"), "dtype = 'float32'; expected one of bfloat16"),
        (merge((0, 9)) + "models: [{model: x}]\n", "models merge whole models"),
        (merge((0, 9)).replace("[0, 9]", "[0, nine]"), "layer_range[1] = 'nine'; expected an integer"),
        (merge((0, 9)).replace("[0, 9]", "[0, -1]"), "layer_range[1] = -1; expected a number of at least 0"),
        (
            merge((0, 9)).replace(
                "merge_method", "  - sources:\n      - {model: b, layer_range: [9, 10]}\nmerge_method"
            ),
            "slices come from several models (meta-llama/Llama-3.1-8B, b)",
        ),
        ("a: 1", "the file = 'a table of a'; expected a mergekit merge"),
        ("- 1", "the file = 'a list'; expected keys and values"),
        ("", "the file = 'nothing'; expected keys and values"),
    ],
)
def test_merges_that_are_no_pruning(llama: Transformer, write: Write, text: str, told: str) -> None:
    with pytest.raises(InfersimError) as caught:
        plan_from_file(write(text, "merge.yaml"), llama)
    assert told in str(caught.value)
    assert "merge.yaml" in str(caught.value)


# ---- lists of removed layers


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ([3, 9, 10, 11], "plan.json"),
        ([3, "9-11"], "plan.json"),
        ({"removed_layers": ["3", "9-11"]}, "plan.json"),
        ('"3, 9-11"', "plan.json"),
        ("3\n9-11  # deep ones\n", "plan.txt"),
        ("3,9,10, 11", "plan.txt"),
        ('[remove]\nlayers = [3, "9-11"]', "plan.toml"),
        ('[remove]\nlayers = "3,9 - 11"', "plan.toml"),
    ],
)
def test_lists_of_removed_layers(llama: Transformer, write: Write, content: object, name: str) -> None:
    plan = plan_from_file(write(content, name), llama)
    assert (plan.family, len(plan.transformer.blocks)) == ("static-m", 28)


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ([3, 32], "plan.json", "removed layers[1] = 32; expected a layer from 0 to 31"),
        (["0-999999999"], "plan.json", "removed layers[0] = '0-999999999'; expected a layer from 0 to 31"),
        (["9-3"], "plan.json", "removed layers[0] = '9-3'"),
        ([3, "2-4"], "plan.json", "removed layers[1] = '2-4'; expected layer 3 once"),
        ([True], "plan.json", "removed layers[0] = True; expected a layer such as 22"),
        ([1.5], "plan.json", "removed layers[0] = 1.5; expected a layer such as 22"),
        ("null", "plan.json", "removed layers = None; expected a layer such as 22"),
        (["0-31"], "plan.json", "expected at least one layer to stay"),
        ([], "plan.json", "expected something to prune"),
        ("all", "plan.txt", "removed layers[0] = 'all'"),
        ({"removed_layers": [1], "note": 1}, "plan.json", "expected a plan under one of block_configs"),
        ("[remove]\nlayers = ['9-3']", "plan.toml", "remove.layers[0] = '9-3'; expected a layer such as 22"),
        ("[remove]\nlayers = ['30-40']", "plan.toml", "expected a layer from 0 to 31"),
    ],
)
def test_lists_of_other_layers(
    llama: Transformer, write: Write, content: object, name: str, told: str
) -> None:
    with pytest.raises(FileContentError) as caught:
        plan_from_file(write(content, name), llama)
    assert told in str(caught.value)


def test_a_list_needs_the_model(write: Write) -> None:
    with pytest.raises(FileContentError, match="model = None; expected the name of the dense model"):
        plan_from_file(write([1]))
