"""Heads and widths layer by layer, as other programs write them: lists, block_configs, pruning histories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InfersimError, UnsupportedError
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.transformer import Attention, Block, FeedForward, ReplacedSublayer, Transformer
from tests.pruning.looking import ffn_of, heads_of

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: object, name: str = "plan.json") -> Path:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return file

    return written


def head_counts(block: Block) -> tuple[int, int]:
    return heads_of(block).num_heads, heads_of(block).num_kv_heads


# ---- widths layer by layer


def test_heads_and_widths_by_layer(llama: Transformer, write: Write) -> None:
    heads = [32] * 30 + [8, 0]
    widths = [14336] * 29 + [0, 7168, 100]
    plan = plan_from_file(
        write({"layer_head_num": heads, "layer_inter_size": widths, "layer_num": 32}), llama
    )
    blocks = plan.transformer.blocks
    assert plan.family == "static-m + static-nk"
    assert (head_counts(blocks[30]), ffn_of(blocks[30]).width) == ((8, 2), 7168)
    assert blocks[29].ffn is None
    assert blocks[31].attention is None
    assert ffn_of(blocks[31]).width == 100


def test_kv_heads_by_layer_keep_the_query_heads(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write({"num_key_value_heads_per_layer": [8] * 31 + [2]}), llama)
    assert head_counts(plan.transformer.blocks[31]) == (32, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"layer_inter_size": [1] * 31}, "layer_inter_size = '31 entries'; expected 32, one for each layer"),
        ({"layer_inter_size": [1] * 31 + [20000]}, "layer_inter_size[31] = 20000; expected at most 14336"),
        ({"layer_inter_size": [1] * 31 + ["9"]}, "layer_inter_size[31] = '9'; expected an integer"),
        ({"layer_head_num": [30] * 32}, "layer_head_num[0] = 30; expected a multiple of 4"),
        (
            {"layer_head_num": [64] * 32},
            "layer_head_num[0] = '64 and 16'; expected heads and KV heads of at most",
        ),
        ({"layer_head_num": [32] * 32, "layer_num": 20}, "layer_num = 20; expected 32"),
        ({"layer_head_num": [32] * 32, "rank": [1]}, "rank = [1]; expected one of the keys"),
        ({"layer_head_num": [32] * 32, "num_heads": [32] * 32}, "expected one key for it, as layer_head_num"),
        ({"layer_head_num": [32] * 32}, "expected something to prune"),
    ],
)
def test_widths_that_the_layers_cannot_have(
    llama: Transformer, write: Write, content: object, told: str
) -> None:
    with pytest.raises(FileContentError) as caught:
        plan_from_file(write(content), llama)
    assert told in str(caught.value)


# ---- block_configs

NAS = {"attention": {"n_heads_in_group": 8, "no_op": False}, "ffn": {"ffn_mult": 2.625}}
MODELOPT = {"attention": {"num_key_value_heads": 4}, "ffn": {"intermediate_size": 7168}}
PUZZLETRON = {
    "subblock_configs": [
        {"kind": "attention", "num_kv_heads": 4, "num_query_heads": 32},
        {"kind": "ffn", "intermediate_size": 7168},
    ]
}
MEGATRON = {"attention": {"num_query_groups": 4}, "mlp": {"ffn_hidden_size": 7168, "no_op": False}}
NOTHING = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
LINEAR = {"attention": {"replace_with_linear": True}, "ffn": {"replace_with_linear": True}}


@pytest.mark.parametrize("block", [NAS, MODELOPT, PUZZLETRON, MEGATRON])
def test_spellings_of_a_block_say_the_same(llama: Transformer, write: Write, block: object) -> None:
    plan = plan_from_file(write({"block_configs": [block] * 32}), llama)
    left = plan.transformer.blocks[7]
    # 2 * 2.625 * 4096 / 3 = 7168, a multiple of 256.
    assert (head_counts(left), ffn_of(left).width) == ((32, 4), 7168)
    assert plan == plan_from_file(write([block] * 32), llama)


def test_blocks_that_do_nothing_are_padding_or_removed_layers(llama: Transformer, write: Write) -> None:
    removed = plan_from_file(write({"block_configs": [MODELOPT] * 20 + [NOTHING] * 12}), llama)
    padded = plan_from_file(write({"block_configs": [*[MODELOPT, NOTHING] * 20, *[NOTHING] * 9]}), llama)
    assert len(removed.transformer.blocks) == len(padded.transformer.blocks) == 20
    assert padded.transformer == removed.transformer
    with pytest.raises(FileContentError, match="'33 blocks that do something'; expected at most 32"):
        plan_from_file(write({"block_configs": [MODELOPT, NOTHING] * 33}), llama)


def test_sublayers_replaced_or_left_out(llama: Transformer, write: Write) -> None:
    halves = [{**NOTHING, "ffn": MODELOPT["ffn"]}, {**NOTHING, "attention": MODELOPT["attention"]}, LINEAR]
    plan = plan_from_file(write([*halves, *[MODELOPT] * 29]), llama)
    first, second, third = plan.transformer.blocks[:3]
    assert (first.attention, second.ffn) == (None, None)
    assert isinstance(first.ffn, FeedForward)
    assert isinstance(second.attention, Attention)
    assert isinstance(third.attention, ReplacedSublayer)
    assert isinstance(third.ffn, ReplacedSublayer)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (
            {"attention": {"num_key_value_heads": 16}, "ffn": NOTHING["ffn"]},
            "'32 and 16'; expected heads and KV",
        ),
        (
            {"attention": {"num_key_value_heads": 3}, "ffn": NOTHING["ffn"]},
            "'32 and 3'; expected heads and KV",
        ),
        (
            {"attention": {}, "ffn": {"no_op": True}},
            "block_configs[0].attention = None; expected a number of KV",
        ),
        ({"attention": {"no_op": True}, "ffn": {}}, "block_configs[0].ffn = None; expected a width"),
        (
            {"attention": {"no_op": True}, "ffn": {"ffn_mult": 39.0}},
            "expected at most 14336, the dense width",
        ),
        (
            {"attention": {"no_op": 1}, "ffn": {}},
            "block_configs[0].attention.no_op = 1; expected true or false",
        ),
        ({"attention": {"no_op": True}}, "block_configs[0].ffn = None; expected a table"),
        ({"attention": {"mamba": {"state_dim": 1}}, "ffn": {}}, "attention.mamba = {'state_dim': 1} is not"),
        ({"attention": {"no_op": True}, "ffn": {"moe": {"n": 8}}}, "block_configs[0].ffn.moe"),
        ({"attention": {"num_sink_tokens": 4}, "ffn": {}}, "attention.num_sink_tokens = 4 is not supported"),
        (
            {"subblock_configs": [{"kind": "mamba"}]},
            "subblock_configs[0].kind = 'mamba'; expected attention or ffn",
        ),
    ],
)
def test_blocks_that_no_layer_can_become(llama: Transformer, write: Write, block: object, told: str) -> None:
    with pytest.raises(InfersimError) as caught:
        plan_from_file(write({"block_configs": [block, *[MODELOPT] * 31]}), llama)
    assert told in str(caught.value)


# ---- torch-pruning's history


def test_channels_of_a_history(llama: Transformer, write: Write) -> None:
    history = [
        ["model.layers.3.mlp.gate_proj", True, list(range(1000))],
        ["model.layers.3.mlp.up_proj", True, list(range(24))],
        ["model.layers.4.self_attn.k_proj", True, list(range(256))],
        ["model.layers.5.mlp.down_proj", False, list(range(14336))],
    ]
    plan = plan_from_file(write(history), llama)
    blocks = plan.transformer.blocks
    assert ffn_of(blocks[3]).width == 14336 - 1024
    assert head_counts(blocks[4]) == (24, 6)
    assert blocks[5].ffn is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            ["model.layers.3.mlp.down_proj", True, [1]],
            "entry 0: output channels of model.layers.3.mlp.down_proj",
        ),
        (["model.embed_tokens", True, [1]], "entry 0: output channels of model.embed_tokens reach beyond"),
        (
            ["model.layers.40.mlp.up_proj", True, [1]],
            "entry 0 = 'model.layers.40.mlp.up_proj'; expected a layer",
        ),
        (["model.layers.3.mlp.up_proj", True, [1, 1]], "entry 0: indices = 'a repeated index'"),
        (["model.layers.3.mlp.up_proj", True, ["1"]], "entry 0: indices = '1'; expected integers"),
        (["model.layers.3.mlp.up_proj", True, list(range(20000))], "'20000 removed'; expected at most 14336"),
        (
            ["model.layers.3.self_attn.k_proj", True, [1]],
            "'1 channels'; expected multiples of the head size, 128",
        ),
        (
            ["model.layers.3.self_attn.q_proj", True, list(range(128))],
            "heads = 31; expected a multiple of the 8",
        ),
    ],
)
def test_histories_that_are_no_plan(llama: Transformer, write: Write, entry: object, told: str) -> None:
    with pytest.raises((FileContentError, UnsupportedError)) as caught:
        plan_from_file(write([entry]), llama)
    assert told in str(caught.value)
