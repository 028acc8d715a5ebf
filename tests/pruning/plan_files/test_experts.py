"""Experts in plan files and in models that were really pruned: each layer's own, and what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infersim.domain.errors import FileContentError, InfersimError, UnsupportedError
from infersim.pruning.composition import prune
from infersim.pruning.plan import OptionValue
from infersim.pruning.plan_files.checkpoint import plan_from_config
from infersim.pruning.plan_files.expert_lists import KEYS
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.transformer import Transformer
from tests.pruning.expert_models import deepseek, experts_of, mixtral

Write = Callable[[object], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A text as TOML, anything else as JSON."""

    def written(content: object) -> Path:
        plain = isinstance(content, str)
        file = tmp_path / ("plan.toml" if plain else "plan.json")
        file.write_text(str(content) if plain else json.dumps(content), encoding="utf-8")
        return file

    return written


def test_experts_layer_by_layer(write: Write) -> None:
    plan = plan_from_file(
        write(
            '[layer."0-15"]\nnum_experts = 6\n[layer."16-31"]\nremove_experts = [0, "2-4"]\ntop_k = 1\n'
            "[layer.31]\nexpert_width = 7168\n"
        ),
        mixtral(),
    )
    layers = [experts_of(block) for block in plan.transformer.blocks]
    assert [layer.num_experts for layer in layers] == [6] * 16 + [4] * 16
    assert [layer.top_k for layer in layers] == [2] * 16 + [1] * 16
    assert [layer.width for layer in layers] == [14336] * 31 + [7168]
    realised = {step.family: step.sparsity_realised for step in plan.steps}
    assert list(realised) == ["static-nk", "static-e", "dynamic-e"]
    assert realised["static-e"] == pytest.approx((16 * 2 + 16 * 4) / 256)
    assert realised["dynamic-e"] == pytest.approx(16 / 64)


def test_ranks_of_attention_beside_experts(write: Write) -> None:
    plan = plan_from_file(write("layer.0 = { num_experts = 4, rank = { q = 512 } }"), mixtral())
    assert [step.family for step in plan.steps] == ["static-k-lowrank", "static-e"]
    with pytest.raises(UnsupportedError, match=r"layer\.0: no kernel runs experts"):
        plan_from_file(write("layer.0.rank.up = 512"), mixtral())


def test_steps_over_the_whole_model_follow(write: Write) -> None:
    plan = plan_from_file(
        write('[layer.0]\nnum_experts = 4\n[[step]]\nfamily = "dynamic-e"\nsparsity = 0.5\n'), mixtral()
    )
    assert [step.family for step in plan.steps] == ["static-e", "dynamic-e"]
    assert plan.steps[0].sparsity_realised == pytest.approx(4 / 256)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer.0.num_experts = 9", "layer.0.num_experts = 9; expected at most 8"),
        ("layer.0.num_experts = 1", "layer.0.num_experts = 1; expected at least 2, which a token runs"),
        ("layer.0.num_experts = 0", "layer.0.num_experts = 0; expected a number above 0"),
        ("layer.0.remove_experts = [1, 8]", "layer.0.remove_experts[1] = 8; expected an expert from 0 to 7"),
        ("layer.0.remove_experts = ['6-9']", "layer.0.remove_experts[2] = 8; expected an expert from 0 to 7"),
        ("layer.0.remove_experts = [1, 1]", "layer.0.remove_experts[1] = 1; expected each expert once"),
        ("layer.0.remove_experts = ['x']", "layer.0.remove_experts[0] = 'x'; expected an expert such as"),
        ("layer.0.remove_experts = ['0-6']", "'1 experts left'; expected at least 2, which a token runs"),
        (
            "layer.0 = { num_experts = 4, remove_experts = [1] }",
            "layer.0.num_experts = 4; expected no such key beside remove_experts",
        ),
        ("layer.0.top_k = 3", "layer.0.top_k = 3; expected at most 2"),
        ("layer.0 = { num_experts = 2, top_k = 3 }", "layer.0.num_experts = 2; expected at least 3"),
        ("layer.0.expert_width = 14400", "layer.0.expert_width = 14400; expected at most 14336"),
        ("layer.0.ffn_width = 64", "layer.0.ffn_width = 64; expected no such key"),
        ("layer.0.rank.expert_up = 64", "layer.0.rank.expert_up"),
    ],
)
def test_mistakes_name_file_key_value_and_expectation(write: Write, text: str, message: str) -> None:
    file = write(text)
    with pytest.raises(FileContentError) as caught:
        plan_from_file(file, mixtral())
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["num_experts = 4", "remove_experts = [1]", "top_k = 1", "expert_width = 64"])
def test_keys_of_experts_on_a_dense_layer(write: Write, llama: Transformer, key: str) -> None:
    with pytest.raises(FileContentError, match=r"layer\.3\.\w+ = .*the layer has no experts"):
        plan_from_file(write(f"layer.3.{key}"), llama)


def test_counts_of_another_program(write: Write) -> None:
    counts = [8] * 30 + [5, 3]
    said = {
        "base_model": "mistralai/Mixtral-8x7B-v0.1",
        "original_num_experts": 8,
        "num_hidden_layers": 32,
        "num_experts_per_tok": 2,
        "per_layer_num_experts": counts,
        "total_pruned": 8,
        "sparsity": 0.03125,
        "allocation": "nonuniform",
    }
    plan = plan_from_file(write(said), mixtral())
    assert [experts_of(block).num_experts for block in plan.transformer.blocks] == counts
    assert plan.family == "static-e"
    assert plan.sparsity_realised == pytest.approx(8 / 256)


def test_experts_by_number_gone_or_kept(write: Write) -> None:
    gone = plan_from_file(write({"removed_experts": {"0": [7, "1-3"], "4-5": [0]}}), mixtral())
    assert [experts_of(block).num_experts for block in gone.transformer.blocks[:6]] == [4, 8, 8, 8, 7, 7]
    kept = plan_from_file(write({"kept_experts": [[0, 1]] * 32, "num_experts_per_tok": 1}), mixtral())
    assert {(experts_of(b).num_experts, experts_of(b).top_k) for b in kept.transformer.blocks} == {(2, 1)}


def test_layers_without_experts_have_none_in_a_list(write: Write) -> None:
    plan = plan_from_file(write({"num_experts_per_layer": [0, 32, 32, 32, 32, 16]}), deepseek())
    assert [experts_of(block).num_experts for block in plan.transformer.blocks[1:]] == [32] * 4 + [16]
    with pytest.raises(FileContentError, match=r"num_experts_per_layer\[0\] = 32; expected 0 or null"):
        plan_from_file(write({"num_experts_per_layer": [32] * 6}), deepseek())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"num_experts": [4] * 31}, "num_experts = '31 entries'; expected 32, one for each layer"),
        ({"num_experts": [4] * 31 + [9]}, "num_experts[31] = 9; expected at most 8"),
        ({"num_experts": [4] * 31 + [1]}, "num_experts[31] = 1; expected at least 2 experts, which a token"),
        ({"num_experts": [4] * 31 + ["4"]}, "num_experts[31] = '4'; expected an integer"),
        ({"num_experts": [8] * 32}, "expected something to prune"),
        ({"num_experts": [4] * 32, "total_pruned": 5}, "total_pruned = 5; expected 128"),
        ({"num_experts": [4] * 32, "sparsity": 0.25}, "sparsity = 0.25; expected 0.5000"),
        ({"num_experts": [4] * 32, "num_layers": 16}, "num_layers = 16; expected 32"),
        ({"num_experts": [4] * 32, "original_num_experts": 64}, "original_num_experts = 64; expected"),
        ({"num_experts": [4] * 32, "router": "new"}, "router = 'new'; expected one of the keys"),
        (
            {"num_experts": [4] * 32, "removed_experts": {"0": [1]}},
            "expected one key for it, as num_experts is there",
        ),
        ({"top_k": [3] * 32}, "top_k[0] = 3; expected at most 2, what a token runs"),
        ({"removed_experts": {"0": [8]}}, "removed_experts.0[0] = 8; expected an expert from 0 to 7"),
        ({"removed_experts": {"0": ["x"]}}, "removed_experts.0[0] = 'x'; expected an expert such as 22"),
        ({"removed_experts": {"32": [1]}}, "removed_experts.32 = '32'; expected a layer from 0 to 31"),
        (
            {"removed_experts": {"0": [1], "0-1": [2]}},
            "removed_experts.0-1 = '0-1'; expected each layer once",
        ),
        ({"num_experts": [4] * 32, "original_num_experts": [8]}, "original_num_experts = [8]; expected"),
        ({"removed_experts": {"0": list(range(7))}}, "removed_experts.0 = 1; expected at least 2 experts"),
    ],
)
def test_lists_that_the_layers_cannot_have(write: Write, content: object, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        plan_from_file(write(content), mixtral())
    assert told in str(caught.value)


def test_lists_of_experts_of_a_dense_model(write: Write, llama: Transformer) -> None:
    with pytest.raises(FileContentError, match=r"num_experts = .*llama-3\.1-8b has none"):
        plan_from_file(write({"num_experts": [4] * 32}), llama)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | st.sampled_from(["x", "0-3", "2", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["0", "1-2", "x"]), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(key=st.sampled_from(sorted(KEYS)), value=_VALUES, more=st.sampled_from(sorted(KEYS)), other=_VALUES)
def test_any_value_is_a_plan_or_an_error_of_ours(
    write: Write, key: str, value: object, more: str, other: object
) -> None:
    file = write({key: value, more: other})
    try:
        plan = plan_from_file(file, deepseek())
    except InfersimError:
        return
    assert plan.steps


def block(moe: object = None, **ffn: object) -> dict[str, object]:
    """A block as ModelOpt's Puzzletron writes it."""
    return {"attention": {"num_key_value_heads": 8, "no_op": False}, "ffn": {"moe": moe, **ffn}}


def moe(experts: int, run: int = 2, width: int = 14336) -> dict[str, int]:
    return {
        "num_local_experts": experts,
        "num_experts_per_tok": run,
        "expert_intermediate_dim": width,
        "shared_expert_intermediate_dim": 8192,  # its default, whether there is one or not
    }


def test_a_search_chooses_experts_layer_by_layer(write: Write) -> None:
    entries = [block(moe(8))] * 29 + [block(moe(6)), block(moe(4, 1, 7168)), block(no_op=True)]
    plan = plan_from_file(write({"block_configs": entries}), mixtral())
    layers = [experts_of(each) for each in plan.transformer.blocks[:-1]]
    assert [layer.num_experts for layer in layers] == [8] * 29 + [6, 4]
    assert (layers[-1].top_k, layers[-1].width) == (1, 7168)
    assert plan.transformer.blocks[-1].ffn is None
    assert plan.family == "static-m + static-nk + static-e + dynamic-e"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (block(moe(9)), "block_configs[0].ffn.moe.num_local_experts = 9; expected at most 8"),
        (block(moe(8, 3)), "block_configs[0].ffn.moe.num_experts_per_tok = 3; expected at most 2"),
        (block(moe(1)), "block_configs[0].ffn.moe.num_experts_per_tok = 2; expected at most 1, the experts"),
        (block(moe(8, 2, 0)), "block_configs[0].ffn.moe.expert_intermediate_dim = 0; expected one positive"),
        (
            block(intermediate_size=64),
            "block_configs[0].ffn.moe = None; expected a table of num_local_experts",
        ),
    ],
)
def test_experts_that_no_layer_can_have_become(write: Write, entry: object, told: str) -> None:
    with pytest.raises(FileContentError) as caught:
        plan_from_file(write({"block_configs": [entry] * 32}), mixtral())
    assert told in str(caught.value)


def test_experts_in_the_place_of_a_dense_ffn(write: Write, llama: Transformer) -> None:
    with pytest.raises(FileContentError, match=r"ffn\.moe = .*null: the layer has no experts"):
        plan_from_file(write({"block_configs": [block(moe(8))] * 32}), llama)
    with pytest.raises(UnsupportedError, match=r"ffn\.moe\.groups is not supported"):
        plan_from_file(write({"block_configs": [block({**moe(8), "groups": 2})] * 32}), mixtral())


# ---- what was really pruned


@pytest.mark.parametrize(
    ("family", "sparsity", "options"),
    [
        ("static-e", 0.5, {}),
        ("dynamic-e", 0.5, {}),
        ("dynamic-e", 0.25, {"layers": "mixed"}),
        ("static-nk", 0.25, {}),
        ("static-nk", 0.5, {"target": "ffn"}),
        ("static-m", 0.25, {}),
        ("static-nk-cross", 0.25, {"residual_maps": 0}),
        ("dynamic-m", 0.5, {"target": "ffn"}),
    ],
)
def test_what_a_family_made_of_experts_is_recognised(
    family: str, sparsity: float, options: dict[str, OptionValue]
) -> None:
    made = prune(mixtral(), family, sparsity, **options)
    found = plan_from_config(mixtral(), made.transformer)
    assert [step.family for step in found.steps] == [family]
    assert found.targets == made.targets
    if "target" not in options or family == "dynamic-m":  # found ones are fractions of all sublayers
        assert found.sparsity_realised == pytest.approx(made.sparsity_realised, abs=1e-12)


def test_latent_heads_and_experts_at_once() -> None:
    made = prune(prune(deepseek(), "static-e", 0.5), "static-nk", 0.25, align=32)
    found = plan_from_config(deepseek(), made.transformer)
    assert [step.family for step in found.steps] == ["static-nk", "static-e"]
    realised = {step.family: step.sparsity_realised for step in made.steps}
    for step in found.steps:
        assert step.sparsity_realised == pytest.approx(realised[step.family], abs=1e-12)


def test_what_cannot_have_come_from_the_base_is_refused() -> None:
    small = prune(prune(mixtral(), "static-e", 0.5), "dynamic-e", 0.5).transformer
    fewer = prune(mixtral(), "static-e", 0.5).transformer
    with_dense = mixtral().with_blocks((*mixtral().blocks[:-1], deepseek().blocks[0]))
    for base, pruned, reason in (
        (small, fewer, "a token runs 2 experts of layer 0, more than 1"),
        (fewer, mixtral(), "layer 0 has 8 experts, more than 4"),
        (mixtral(), with_dense, "layer 31 has a dense FFN in the place of experts"),
        (with_dense, mixtral(), "layer 31 has experts in the place of a dense FFN"),
    ):
        with pytest.raises(UnsupportedError, match=reason):
            plan_from_config(base, pruned)


def test_layers_of_experts_gone_behind_a_dense_one() -> None:
    made = prune(prune(deepseek(), "static-m", 0.34), "static-e", 0.5)
    found = plan_from_config(deepseek(), made.transformer)
    assert [step.family for step in found.steps] == ["static-m", "static-e"]
    assert found.steps[1].sparsity_realised == pytest.approx(0.5)
    # Where the first layer is gone too, which are is another question.
    first_gone = deepseek().with_blocks(deepseek().blocks[1:5])
    with pytest.raises(UnsupportedError, match="2 layers are gone, and the dense ones are not all equal"):
        plan_from_config(deepseek(), first_gone)
