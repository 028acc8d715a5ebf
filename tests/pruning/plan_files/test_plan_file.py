"""Plan files: what they do layer by layer, and how they say what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from infersim.cost.gemm.unstructured import SparseKernel
from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.domain.ops import Part
from infersim.domain.shapes import WeightForm
from infersim.pruning.composition import prune
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.presets import load_model
from infersim.workload.sublayers.linear import Zeros
from infersim.workload.transformer import BlockSparsity, GroupSkip, SkipExecution, TokenSkip, Transformer
from tests.pruning.looking import ffn_of, heads_of
from tests.toy_models import gathering_skip

Write = Callable[[str], Path]

ATTENTION, FFN = 41_943_040, 176_160_768
BLOCK = ATTENTION + FFN
"""Parameters of one layer's matrices of Llama-3.1-8B."""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        file = tmp_path / "plan.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return written


def test_layers_and_sublayers_removed(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write("[remove]\nlayers = [30, 29]\nattention = [5, 29]\nffn = [7]\n"), llama)
    blocks = plan.transformer.blocks
    assert len(blocks) == 30
    assert [index for index, block in enumerate(blocks) if block.attention is None] == [5]
    assert [index for index, block in enumerate(blocks) if block.ffn is None] == [7]
    assert (plan.family, plan.sparsity, plan.name) == ("static-m", None, "plan")
    assert plan.targets == {Part.QKVO, Part.ATTENTION, Part.FFN}
    assert plan.sparsity_realised == pytest.approx(3 / 32, abs=1e-12)


def test_a_layer_that_loses_both_sublayers_is_gone(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write("remove = { attention = [3], ffn = [3] }"), llama)
    assert plan.transformer == prune(llama, "static-m", 1 / 32).transformer


def test_widths_by_layer_and_range(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(
        write(
            """
            [layer."8-15"]
            num_heads = 16
            num_kv_heads = 4
            ffn_width = 7168

            [layer.15]
            num_heads = 8
            """
        ),
        llama,
    )
    blocks = plan.transformer.blocks
    widths = [
        (heads_of(block).num_heads, heads_of(block).num_kv_heads, ffn_of(block).width) for block in blocks
    ]
    assert widths == [(32, 8, 14336)] * 8 + [(16, 4, 7168)] * 7 + [(8, 4, 7168)] + [(32, 8, 14336)] * 16
    assert (plan.family, plan.steps[0].sparsity) == ("static-nk", None)
    # Seven layers lose half; the last keeps 8 heads, another 8 x 128 x 4096 x 2 less.
    removed = 8 * BLOCK / 2 + 2 * 1024 * 4096
    assert plan.sparsity_realised == pytest.approx(removed / (32 * BLOCK), abs=1e-12)


def test_ranks_and_2_4_by_matrix(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(
        write("[layer.'0-31']\nrank = { q = 512, gate = 1024 }\nsparse_2_4 = ['down']\n"), llama
    )
    attention, ffn = heads_of(plan.transformer.blocks[9]), ffn_of(plan.transformer.blocks[9])
    assert ffn.gate is not None
    assert (attention.q.rank, attention.k.rank, ffn.gate.rank, ffn.up.rank) == (512, None, 1024, None)
    assert (ffn.down.form, ffn.up.form) == (WeightForm.SPARSE_2_4, WeightForm.DENSE)
    assert plan.family == "static-k-2:4 + static-k-lowrank"
    assert plan.targets == {Part.QKVO, Part.FFN}
    kept = BLOCK - 4096**2 + 512 * 8192 - 14336 * 4096 + 1024 * 18432
    realised = {step.family: step.sparsity_realised for step in plan.steps}
    assert realised["static-k-lowrank"] == pytest.approx(1 - kept / BLOCK, abs=1e-12)
    assert realised["static-k-2:4"] == pytest.approx(14336 * 4096 / 2 / kept, abs=1e-12)
    assert plan.sparsity_realised == pytest.approx(1 - (kept - 14336 * 4096 / 2) / BLOCK, abs=1e-12)


def test_what_is_decided_at_run_time(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(
        write(
            """
            name = "everything dynamic"
            [layer.0-7]
            skip = { attention = 0.5, ffn = 0.25, router_width = 0, dense_kv = false, execution = "gather" }
            [layer.8-15]
            skip = { ffn = 0.5 }
            block_sparsity = { kept = 0.4, block = 128 }
            [layer.16-31]
            kv_kept = 0.5
            """
        ),
        llama,
    )
    first, second, last = (plan.transformer.blocks[index] for index in (0, 8, 16))
    assert heads_of(first).skip == gathering_skip(0.5, dense_kv=False)
    assert ffn_of(first).skip == gathering_skip(0.25, dense_kv=False)
    assert (heads_of(second).skip, ffn_of(second).skip) == (
        None,
        TokenSkip(rate=0.5, router_width=16, execution=SkipExecution.BLOCKS),
    )
    assert heads_of(second).block_sparsity == BlockSparsity(kept=0.4, block=128, gate_dim=128)
    assert (heads_of(first).kv_kept, heads_of(last).kv_kept) == (1.0, 0.5)
    assert (plan.name, plan.family) == ("everything dynamic", "dynamic-m + dynamic-nk + kv-pruning")
    realised = {step.family: step.sparsity_realised for step in plan.steps}
    assert realised["dynamic-m"] == pytest.approx((8 * 0.5 + 8 * 0.25 + 8 * 0.5) / 64)
    assert realised["dynamic-nk"] == pytest.approx(8 * 0.6 / 32)
    assert realised["kv-pruning"] == pytest.approx(0.25)


def test_skip_rates_average_over_the_kinds_of_sublayer_that_are_routed(
    llama: Transformer, write: Write
) -> None:
    plan = plan_from_file(write("layer.0-15.skip.ffn = 0.5"), llama)
    assert plan.targets == {Part.FFN}
    assert plan.sparsity_realised == pytest.approx(0.25)


def test_steps_are_what_prune_does(write: Write) -> None:
    plan = plan_from_file(
        write(
            """
            model = "llama-3.1-8b"
            [[step]]
            family = "static-nk"
            sparsity = 0.5
            kv_heads = "keep"
            [[step]]
            family = "static-k-2:4"
            """
        )
    )
    by_hand = prune(prune(load_model("llama-3.1-8b"), "static-nk", 0.5, kv_heads="keep"), "static-k-2:4")
    assert (plan.base, plan.transformer) == (by_hand.base, by_hand.transformer)
    assert (plan.steps, plan.targets) == (by_hand.steps, by_hand.targets)


def test_detail_comes_before_steps(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(
        write("[[step]]\nfamily = 'static-m'\nsparsity = 0.5\n[layer.0]\nffn_width = 7168\n"), llama
    )
    assert plan.family == "static-nk + static-m"
    assert [ffn_of(block).width for block in plan.transformer.blocks] == [7168] + [14336] * 15
    assert plan.sparsity_realised == pytest.approx(1 - (16 * BLOCK - FFN / 2) / (32 * BLOCK), abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("remove.layers = [1, 2, 3, 40]", "remove.layers[3] = 40; expected a layer from 0 to 31"),
        ("remove.layers = [-1]", "remove.layers[0] = -1; expected a number of at least 0"),
        ("remove.layer = [1]", "remove.layer = [1]; expected one of the keys layers, attention, ffn"),
        ("remove.ffn = ['x']", "remove.ffn[0] = 'x'; expected a layer such as 22"),
        (f"remove.layers = {list(range(32))}", "expected at least one layer to stay"),
        ("layer.40.ffn_width = 64", "layer = '40'; expected a layer from 0 to 31"),
        ("layer.8-40.ffn_width = 64", "layer = '8-40'; expected a layer from 0 to 31"),
        ("layer.9-8.ffn_width = 64", "layer = '9-8'"),
        ("layer.last.ffn_width = 64", "layer = 'last'"),
        ("layer.3.ffn_width = 20000", "layer.3.ffn_width = 20000; expected at most 14336"),
        ("layer.3.ffn_width = 0", "layer.3.ffn_width = 0; expected a number above 0"),
        ("layer.3.ffn_width = 64.0", "layer.3.ffn_width = 64.0; expected an integer"),
        (
            "layer.3.width = 64",
            "layer.3.width = 64",
        ),
        ("layer.3.num_heads = 33", "layer.3.num_heads = 33; expected at most 32"),
        ("layer.3.num_kv_heads = 16", "layer.3.num_kv_heads = 16; expected at most 8"),
        ("layer.3.num_heads = 12", "layer.3.num_heads = 12; expected a multiple of num_kv_heads = 8"),
        ("layer.3.rank.q = 2048", "layer.3.rank.q = 2048; expected a rank below 2048"),
        ("layer.3.rank.w = 64", "layer.3.rank.w = 'w'; expected one of 'q', 'k', 'v', 'o'"),
        ("layer.3.sparse_2_4 = ['qkv']", "layer.3.sparse_2_4[0] = 'qkv'; expected one of 'q'"),
        ("layer.3.skip.ffn = 1.0", "layer.3.skip.ffn = 1.0; expected a number below 1"),
        ("layer.3.skip.ffn = nan", "layer.3.skip.ffn = nan; expected a finite number"),
        (
            "layer.3.skip.rate = 0.5",
            "attention, ffn, router_width, dense_kv",
        ),
        ("layer.3.kv_kept = 0.0", "layer.3.kv_kept = 0.0; expected a number above 0"),
        ("layer.3.block_sparsity.block = 64", "layer.3.block_sparsity.kept = None; expected a value"),
        ("step = [{ family = 'static-x' }]", "step[0] = 'static-x'; expected a known family: static-m"),
        ("step = [{ sparsity = 0.5 }]", "step[0].family = None; expected a value"),
        ("step = [{ family = 'static-m' }]", "step[0].sparsity = None; expected a fraction"),
        (
            "step = [{ family = 'static-m', sparsity = 25 }]",
            "step[0].sparsity = 25; expected a number below 1",
        ),
        (
            "step = [{ family = 'static-nk', sparsity = 0.5, aling = 64 }]",
            "step[0] = 'aling'",
        ),
        (
            "step = [{ family = 'static-nk', sparsity = 0.5, align = 0 }]",
            "step[0].align = 0",
        ),
        ("step = [{ family = 'static-nk', sparsity = 0.5, align = [] }]", "step[0].align"),
        ("steps = []", "steps = []"),
        ("model = 'llama-3.1-9b'\nremove.layers = [1]", "model = 'llama-3.1-9b'"),
        ("model = 'qwen3-8b'\nremove.layers = [1]", "model = 'qwen3-8b'"),
        ("name = 'nothing'", "step = []"),
        ("remove.layers = [1", "the file = "),
    ],
)
def test_mistakes_name_file_key_value_and_expectation(
    llama: Transformer, write: Write, text: str, message: str
) -> None:
    file = write(text)
    with pytest.raises(FileContentError) as caught:
        plan_from_file(file, llama)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert caught.value.expected


def test_detail_of_what_the_layer_lacks(llama: Transformer, write: Write) -> None:
    bare = prune(llama.with_blocks(llama.blocks[:2]), "static-m", 0.5, target="attention").transformer
    without_ffn = prune(llama.with_blocks(llama.blocks[:2]), "static-m", 0.5, target="ffn").transformer
    with pytest.raises(FileContentError, match=r"layer\.0\.ffn_width = 64"):
        plan_from_file(write("layer.0.ffn_width = 64"), without_ffn)
    for text, message in (
        ("layer.0.num_heads = 8", "layer.0.num_heads = 8"),
        ("layer.0.kv_kept = 0.5", "layer.0.kv_kept = 0.5"),
        ("layer.0.skip.attention = 0.5", "layer.0.skip.attention = 0.5"),
        ("layer.0.rank.q = 8", "layer.0.rank = 'q'"),
    ):
        with pytest.raises(FileContentError) as caught:
            plan_from_file(write(text), bare)
        assert message in str(caught.value)


def test_steps_that_do_not_compose_name_the_step(llama: Transformer, write: Write) -> None:
    text = "step = [{ family = 'static-k-2:4' }, { family = 'static-k-lowrank', sparsity = 0.5 }]"
    with pytest.raises(UnsupportedError, match=r"plan\.toml: step\[1\]: static-k-lowrank"):
        plan_from_file(write(text), llama)


def test_a_missing_model_or_file_is_told(tmp_path: Path, write: Write) -> None:
    with pytest.raises(FileContentError, match="model = None"):
        plan_from_file(write("remove.layers = [1]"))
    with pytest.raises(InvalidValueError, match=r"absent\.toml'"):
        plan_from_file(tmp_path / "absent.toml")


def test_an_option_named_like_an_argument_is_an_unknown_option(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('model = "llama-3.1-8b"\n[[step]]\nfamily = "static-m"\nsparsity = 0.5\nmodel = "x"\n')
    with pytest.raises(FileContentError, match="model"):
        plan_from_file(path)


def test_a_number_of_thousands_of_digits_is_refused_with_the_file_named(write: Write) -> None:
    path = write(f"[layer.0]\nffn_width = {'9' * 5000}\n")
    with pytest.raises(FileContentError, match=r"plan\.toml: the file = 'damaged'"):
        plan_from_file(path, load_model("llama-3.1-8b"))


def test_groups_zeros_and_one_router_by_layer(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(
        write(
            """
            [layer.3]
            groups = { attention = 0.5, ffn = 0.25, channels = 512 }
            [layer.4]
            zeros = { up = 0.75, down = 0.5 }
            zeros_kernel = "cusparse"
            [layer.5]
            skip = { attention = 0.5, ffn = 0.5, forecaster = 64, one_router = true }
            """
        ),
        llama,
    )
    third, fourth, fifth = plan.transformer.blocks[3:6]
    assert heads_of(third).groups == GroupSkip(rate=0.5, group=4, router_width=32)
    assert ffn_of(third).groups == GroupSkip(rate=0.25, group=512, router_width=32)
    assert ffn_of(fourth).up.zeros == Zeros(share=0.75, kernel=SparseKernel.CUSPARSE)
    assert ffn_of(fourth).gate is not None
    assert ffn_of(fourth).gate.zeros is None  # type: ignore[union-attr]
    skip = ffn_of(fifth).skip
    assert skip is not None
    assert (skip.forecaster, skip.decides) == (64, False)
    assert plan.family == "dynamic-m + dynamic-mnk + unstructured"
    zeros = 4096 * 14336 * (0.75 + 0.5) / (32 * BLOCK)
    assert [step.sparsity_realised for step in plan.steps] == pytest.approx(
        [0.5 / 32, (0.5 + 0.25) / 64, zeros]
    )


def test_one_router_has_one_rate(llama: Transformer, write: Write) -> None:
    file = write("[layer.5]\nskip = { attention = 0.5, ffn = 0.25, one_router = true }")
    with pytest.raises(FileContentError, match=r"skip\.ffn"):
        plan_from_file(file, llama)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("groups = { attention = 0.5, heads = 3 }",
         "layer.3.groups.heads = 3; expected a divisor of 32 heads, and a divisor or a multiple of 4"),
        ('format = { ffn = "fp9" }', "layer.3.format.ffn = 'fp9'; expected one of fp8, "),
    ],
)  # fmt: skip
def test_a_value_inside_a_layers_table_is_named_by_its_whole_key(
    llama: Transformer, write: Write, line: str, said: str
) -> None:
    with pytest.raises(FileContentError, match=re.escape(said)):
        plan_from_file(write(f"[layer.3]\n{line}\n"), llama)


@pytest.mark.parametrize(
    ("detail", "key", "expected"),
    [
        ("skip = {}", "skip = 'an empty table'", "attention, ffn or both"),
        ("skip = { router_width = 4 }", "skip = 'a table of router_width'", "attention, ffn or both"),
        ("skip = { attention = 0.5, one_router = true }", "skip.one_router = True", "skip.ffn"),
        ("skip = { ffn = 0.5, dense_kv = false }", "skip.dense_kv = False", "skip.attention beside it"),
        ("groups = { channels = 64 }", "groups = 'a table of channels'", "attention, ffn or both"),
        ("groups = { ffn = 0.5, heads = 4 }", "groups.heads = 4", "groups.attention beside it"),
        ("groups = { attention = 0.5, channels = 4 }", "groups.channels = 4", "groups.ffn beside it"),
        ('zeros_kernel = "cusparse"', "zeros_kernel = 'cusparse'", "zeros beside it"),
        ('kv_score = "window"', "kv_score = 'window'", "kv_kept beside it"),
        ("linear = { ffn = 0 }\nffn_width = 512", "ffn_width = 512", "beside linear.ffn"),
        ("linear = { attention = 0 }\nrank = { q = 64 }", "rank.q = 64", "beside linear.attention"),
        ("linear = { attention = 0 }\nzeros = { q = 0.5 }", "zeros.q = 0.5", "beside linear.attention"),
        ('linear = { ffn = 0 }\nsparse_2_4 = ["up"]', "sparse_2_4 = 'up'", "beside linear.ffn"),
    ],
)
def test_a_key_that_nothing_would_come_of_is_refused(
    llama: Transformer, write: Write, detail: str, key: str, expected: str
) -> None:
    with pytest.raises(FileContentError, match=re.escape(f"plan.toml: layer.3.{key}; expected ")) as told:
        plan_from_file(write(f"[layer.3]\n{detail}\n"), llama)
    assert expected in str(told.value)


def test_keys_of_the_other_sublayer_stand_beside_a_linear_one(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write("[layer.3]\nlinear = { attention = 0 }\nffn_width = 512\n"), llama)
    assert ffn_of(plan.transformer.blocks[3]).width == 512


def test_removed_layers_are_named_once_and_have_no_table_of_their_own(
    llama: Transformer, write: Write
) -> None:
    with pytest.raises(FileContentError, match=r"remove\.layers\[1\] = 3; expected each layer once"):
        plan_from_file(write("[remove]\nlayers = [3, 3]\n"), llama)
    with pytest.raises(FileContentError, match=r"layer\.3 = 'a table'; .*\[remove\] takes away"):
        plan_from_file(write("[remove]\nlayers = [3]\n[layer.3]\nnum_heads = 16\n"), llama)
    plan = plan_from_file(write('[remove]\nlayers = [3]\n[layer."2-4"]\nnum_heads = 16\n'), llama)
    assert [heads_of(plan.transformer.blocks[index]).num_heads for index in (1, 2, 3)] == [32, 16, 16]
