"""2:4 checkpoints, and other sparsity that no kernel uses."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.quantisation.stated import ALL, SMALL, every, formats, sparse, stating
from tests.workload.hf.quantisation.test_methods import FP8, INT4, TOKENS_FP8, group

TWO_OF_FOUR = {"format": "sparse-24-bitmask", "sparsity_structure": "2:4", "targets": ["Linear"]}


def test_2_4_with_and_without_quantisation() -> None:
    both = stating(
        quant_method="compressed-tensors",
        config_groups={"group_0": group(FP8, TOKENS_FP8)},
        ignore=["lm_head"],
        sparsity_config=TWO_OF_FOUR | {"ignore": ["lm_head"]},
    )
    assert sparse(both) == ALL
    assert {stored and stored.name for stored in formats(both).values()} == {"fp8"}
    assert "2:4 in all block matrices" in both.stated
    alone = stating(quant_method="compressed-tensors", sparsity_config=TWO_OF_FOUR)
    assert sparse(alone) == ALL
    assert set(formats(alone).values()) == {None}
    assert alone.stated == "stored as 2:4 in all block matrices"
    assert alone.blocks == stating("sparsity_config", **TWO_OF_FOUR).blocks


def test_2_4_of_some_matrices() -> None:
    few = TWO_OF_FOUR | {"ignore": ["re:.*self_attn.*"]}
    assert sparse(stating("sparsity_config", **few)) == every("gate", "up", "down")
    named = TWO_OF_FOUR | {"targets": ["re:.*down_proj"]}
    assert sparse(stating("sparsity_config", **named)) == every("down")


def test_sparsity_without_structure_is_told_and_changes_nothing() -> None:
    stated = {"format": "dense", "sparsity_structure": "unstructured", "global_sparsity": 0.5}
    model = stating(quant_method="compressed-tensors", sparsity_config=stated)
    assert model.blocks == transformer_from_config(SMALL).blocks
    assert "50% of the weights are zero without a structure: no kernel skips them" in model.notes


def test_a_packed_2_4_file_need_not_name_its_structure() -> None:
    packed = {"format": "sparse-24-bitmask"}
    assert sparse(stating("sparsity_config", **packed)) == ALL
    assert sparse(stating(quant_method="compressed-tensors", sparsity_config=packed)) == ALL
    with pytest.raises(FileContentError, match="sparsity_structure = 'unstructured'; expected 2:4"):
        stating("sparsity_config", **packed, sparsity_structure="unstructured")


def test_zeros_of_unstated_number_are_told() -> None:
    model = stating("sparsity_config", format="sparse-bitmask")
    assert model.blocks == transformer_from_config(SMALL).blocks
    assert any("zero without a structure" in note for note in model.notes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sparsity_structure": "4:8"}, "sparsity_config.sparsity_structure = '4:8' is not supported"),
        ({"format": "mine"}, "sparsity_config.format = 'mine' is not supported"),
        ({"block": 3}, "sparsity_config.block = 3 is not supported"),
    ],
)
def test_other_sparsity_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        stating(quant_method="compressed-tensors", sparsity_config=TWO_OF_FOUR | change)


def test_k_must_divide_into_groups_of_four() -> None:
    config = SMALL | {"intermediate_size": 510, "sparsity_config": TWO_OF_FOUR}
    with pytest.raises(FileContentError, match=r"some\.json: in_features = 510; expected a multiple of 4"):
        transformer_from_config(config, file="some.json")


def test_marlin_s_2_4_layout_is_2_4_whatever_stands_beside_it() -> None:
    groups = {"group_0": group(INT4)}
    others: list[dict[str, Any]] = [{}, {"sparsity_config": {}}, {"sparsity_config": {"format": "dense"}}]
    for beside in others:
        model = stating(
            quant_method="compressed-tensors",
            format="marlin-24",
            config_groups=groups,
            ignore=["lm_head", "re:.*down_proj"],
            **beside,
        )
        assert sparse(model) == ALL - every("down")
    plain = stating(quant_method="compressed-tensors", format="pack-quantized", config_groups=groups)
    assert not sparse(plain)
    with pytest.raises(UnsupportedError, match=r"group_0\.format = 'marlin-24' is not supported"):
        stating(
            quant_method="compressed-tensors",
            config_groups={"group_0": groups["group_0"] | {"format": "marlin-24"}},
        )


def test_targets_that_name_no_matrix_are_no_dense_model() -> None:
    with pytest.raises(FileContentError, match="sparsity_config = 'targets'; expected names of the model's"):
        stating("sparsity_config", **TWO_OF_FOUR | {"targets": [r"re:.*layers\.\d+$"]})


def test_marlin_s_2_4_layout_of_gptq() -> None:
    """The file says no word of sparsity but this."""
    stated: dict[str, Any] = {"quant_method": "gptq", "bits": 4, "group_size": 64}
    model = stating(**stated, checkpoint_format="marlin_24")
    assert sparse(model) == ALL
    assert {stored and stored.name for stored in formats(model).values()} == {"w4a16"}
    assert not sparse(stating(**stated, checkpoint_format="marlin"))
    with pytest.raises(UnsupportedError, match="checkpoint_format = 'marlin_24' is not supported"):
        stating(**stated, checkpoint_format="marlin_24", modules_in_block_to_quantize=[["mlp.up_proj"]])
