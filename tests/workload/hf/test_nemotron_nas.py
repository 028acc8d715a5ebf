"""Searched architectures: each block its own, by DeciLM's rules."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.nemotron_nas import intermediate_size
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Attention, FeedForward, Linear, ReplacedSublayer

NO_ATTENTION: dict[str, Any] = {"no_op": True, "n_heads_in_group": None, "replace_with_linear": False}
NO_FFN: dict[str, Any] = {"no_op": True, "ffn_mult": None, "replace_with_linear": False}
LINEAR = {"no_op": False, "replace_with_linear": True}
GROUPED = {"no_op": False, "replace_with_linear": False, "n_heads_in_group": 4, "window_length": None}
WIDE = {"no_op": False, "replace_with_linear": False, "ffn_mult": 2.5}


def config(*blocks: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return {
        "model_type": "nemotron-nas",
        "hidden_size": 1024,
        "intermediate_size": None,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": 8,
        "num_key_value_heads": None,
        "vocab_size": 1000,
        "max_position_embeddings": 2048,
        "block_configs": [{"attention": attention, "ffn": ffn} for attention, ffn in blocks],
    }


@pytest.mark.parametrize(
    ("ffn_mult", "hidden", "width"),
    [
        (5.25, 8192, 28672),  # 2 * 5.25 * 8192 / 3 is a multiple of 256 already
        (2.625, 8192, 14336),
        (1.3125, 8192, 7168),
        (1.0, 8192, 5632),  # 5461.3 -> 5461 -> 22 x 256
        (0.5, 8192, 2816),  # 2730.7 -> 2730 -> 11 x 256
    ],
)
def test_width_is_rounded_up_to_256(ffn_mult: float, hidden: int, width: int) -> None:
    assert intermediate_size(ffn_mult, hidden) == width


def test_blocks_differ() -> None:
    model = transformer_from_config(
        config((GROUPED, WIDE), (NO_ATTENTION, WIDE), (GROUPED, NO_FFN), (LINEAR, LINEAR))
    )
    whole, no_attention, no_ffn, linear = model.blocks
    assert isinstance(whole.attention, Attention)
    assert isinstance(whole.ffn, FeedForward)
    assert (whole.attention.num_kv_heads, whole.attention.head_dim, whole.ffn.width) == (2, 128, 1792)
    assert (no_attention.attention, no_attention.ffn) == (None, whole.ffn)
    assert (no_ffn.attention, no_ffn.ffn) == (whole.attention, None)
    square = ReplacedSublayer(linear=Linear(out_features=1024, in_features=1024))
    assert (linear.attention, linear.ffn) == (square, square)


def test_window_of_a_block() -> None:
    attention = transformer_from_config(config((GROUPED | {"window_length": 512}, WIDE))).blocks[0].attention
    assert isinstance(attention, Attention)
    assert attention.window == 512


@pytest.mark.parametrize(
    ("attention", "ffn", "message"),
    [
        (
            GROUPED | {"n_heads_in_group": 3},
            WIDE,
            r"\[0\]\.attention\.n_heads_in_group = 3",
        ),
        (GROUPED | {"n_heads_in_group": None}, WIDE, r"\[0\]\.attention\.n_heads_in_group = None; expected"),
        (GROUPED, WIDE | {"ffn_mult": -1}, r"\[0\]\.ffn\.ffn_mult = -1.*; expected a number above 0"),
        (GROUPED, WIDE | {"ffn_mult": None}, r"\[0\]\.ffn\.ffn_mult = None; expected a number"),
        (GROUPED, WIDE | {"ffn_mult": 1e-9}, r"\[0\]\.ffn\.ffn_mult = 1e-09; expected a number that gives"),
        (GROUPED, WIDE | {"no_op": 1}, r"\[0\]\.ffn\.no_op = 1; expected true or false"),
        (GROUPED, 5, r"\[0\]\.ffn = 5; expected a table"),
    ],
)
def test_damage_names_the_block(attention: dict[str, Any], ffn: dict[str, Any], message: str) -> None:
    with pytest.raises(FileContentError, match=r"some\.json: block_configs" + message):
        transformer_from_config(config((attention, ffn)), file="some.json")


def test_every_layer_needs_a_choice() -> None:
    with pytest.raises(FileContentError, match=r"num_hidden_layers = 3.*block_configs.*1"):
        transformer_from_config(config((GROUPED, WIDE)) | {"num_hidden_layers": 3})


@pytest.mark.parametrize(
    ("attention", "ffn"),
    [
        (GROUPED | {"num_sink_tokens": 64}, WIDE),
        (GROUPED | {"sparsify": ["q"]}, WIDE),
        (GROUPED, WIDE | {"sparsify": ["up"]}),
    ],
)
def test_what_we_do_not_model_is_refused(attention: dict[str, Any], ffn: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"block_configs\[0\].*supported.*null"):
        transformer_from_config(config((attention, ffn)))
