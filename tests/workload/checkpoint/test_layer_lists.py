"""Sizes that a config lists layer by layer: weight files count, and what differs is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.sizes import swiglu
from infersim.workload.transformer import FeedForward, Transformer
from tests.workload.checkpoint.llama import CONFIG, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint

DENSE = transformer_from_config(CONFIG, name="it")
LISTED = [640, 640, 320, 320, 640, 640]
NARROWED = DENSE.with_blocks(
    tuple(
        replace(block, ffn=swiglu(hidden=256, width=width))
        for block, width in zip(DENSE.blocks, LISTED, strict=True)
    )
)


def read(folder: Path, model: Transformer, **stated: Any) -> Transformer:
    """The model whose weights are those of `model`, by a config that has `stated` too."""
    config = {key: value for key, value in CONFIG.items() if f"{key}_per_layer" not in stated}
    return transformer_from_path(write_checkpoint(folder, config | stated, shapes_of(model)))


def widths(model: Transformer) -> list[int]:
    return [block.ffn.width for block in model.blocks if isinstance(block.ffn, FeedForward)]


@pytest.mark.parametrize("key", ["intermediate_size", "intermediate_size_per_layer"])
def test_widths(tmp_path: Path, key: str) -> None:
    same = read(tmp_path / "same", NARROWED, **{key: LISTED})
    assert (widths(same), same.notes) == (LISTED, ())
    other = read(tmp_path / "other", DENSE, **{key: LISTED})
    assert widths(other) == [640] * 6
    assert other.notes == (
        "FFN width 640 in the weight files, which count; the config says 320 to 640 "
        "(other than that in 2 of 6 layers)",
    )


def test_layers_that_the_list_says_are_gone(tmp_path: Path) -> None:
    model = read(tmp_path, NARROWED, intermediate_size=[0, *LISTED[1:]])
    assert widths(model) == LISTED


def test_kv_heads(tmp_path: Path) -> None:
    assert not read(tmp_path / "same", DENSE, num_key_value_heads=[4] * 6).notes
    other = read(tmp_path / "other", DENSE, num_key_value_heads_per_layer=[4, 4, 4, 2, 2, 4])
    assert [note.partition(",")[0] for note in other.notes] == ["KV heads 4 in the weight files"]


def test_a_list_of_another_length(tmp_path: Path) -> None:
    with pytest.raises(
        FileContentError, match=r"intermediate_size = .*; expected one entry for each of 6 layers"
    ):
        read(tmp_path, DENSE, intermediate_size=LISTED[:5])


def test_without_weight_files_lists_are_refused() -> None:
    with pytest.raises(FileContentError, match=r"intermediate_size = .*; expected an integer"):
        transformer_from_config(CONFIG | {"intermediate_size": LISTED})
