"""PruningInferSim's YAML: each of its seven families is the plan that it states, and the rest is refused.

The files here have the shape of the program's own; they are written for these tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infersim.domain.errors import FileContentError, InfersimError, UnsupportedError
from infersim.pruning.composition import prune
from infersim.pruning.plan import OptionValue
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.workload.transformer import Attention, FeedForward, Transformer

Write = Callable[[Mapping[str, Any]], Path]

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FFN = ("up_proj", "gate_proj", "down_proj")
NONE = {"estimated_sparsity": 0, "offset": 0, "pruning_type": "none"}
OFF = {"prune_embedding": False, "prune_lm_head": False, "residual_mapping": False}
DENSE_ATTENTION = {
    "estimated_sparsity": -1,
    "pruning_type": "base",
    "backend": "tilelang",
    "threshold": -1,
    "enable_autotune": False,
}


def left(kind: str, **more: object) -> dict[str, object]:
    """A component whose sparsity is the command line's."""
    return {"estimated_sparsity": -1, "offset": 0, "pruning_type": kind, **more}


def matrices(names: tuple[str, ...], kind: str, **more: object) -> dict[str, object]:
    return {name: left(kind, **more) for name in names}


ROUTER = {"router_type": "bottleneck", "router_rank_size": 16}
ROUTED = {"backend": "triton", "prefill_impl": "auto", "decode_impl": "auto", "enable_autotune": False}

FILES: dict[str, dict[str, Any]] = {
    "static-m": {"cache_type": "base", **OFF, "layer": left("M"), "attention": DENSE_ATTENTION},
    "static-k-2:4": {
        "cache_type": "base",
        "attention": DENSE_ATTENTION,
        "self_attn": {
            "estimated_sparsity": 0.5,
            **matrices(ATTENTION, "semi_structured", estimated_sparsity=0.5, block_size=4, backend="torch"),
        },
        "mlp": {
            "estimated_sparsity": 0.5,
            **matrices(FFN, "semi_structured", estimated_sparsity=0.5, block_size=4, backend="jit"),
        },
    },
    "static-k-lowrank": {
        "cache_type": "base",
        "attention": DENSE_ATTENTION,
        "self_attn": matrices(ATTENTION, "base"),
        "mlp": {**left("base"), "retained_ratio": 0, **matrices(FFN, "base")},
    },
    "static-nk": {
        "cache_type": "base",
        **OFF,
        "layer": {"estimated_sparsity": 0, "pruning_type": "none"},
        "attention": DENSE_ATTENTION,
        "self_attn": {**NONE, "q_proj": left("N"), "o_proj": left("K")},
        "mlp": {**NONE, "up_proj": left("N"), "down_proj": left("K")},
    },
    "static-nk-cross": {
        "cache_type": "base",
        **dict.fromkeys(OFF, True),
        "layer": {"estimated_sparsity": 0, "pruning_type": "none"},
        "attention": DENSE_ATTENTION,
        "self_attn": {**NONE, "q_proj": left("K"), "o_proj": left("N")},
        "mlp": {**NONE, "up_proj": left("K"), "down_proj": left("N")},
    },
    "dynamic-m": {
        "cache_type": "base",
        "approximator": {"approximator_type": None, "approximator_rank_size": 16},
        "layer": {"estimated_sparsity": 0, "pruning_type": None, "router": ROUTER},
        "self_attn": {
            "estimated_sparsity": -1,
            "pruning_type": "m",
            **ROUTED,
            "router": ROUTER,
            **{name: {"estimated_sparsity": 0, "pruning_type": None} for name in ATTENTION},
        },
        "mlp": {
            "estimated_sparsity": -1,
            "pruning_type": "m",
            **ROUTED,
            "router": {**ROUTER, "router_order": "diff"},
            **{name: {"estimated_sparsity": 0, "pruning_type": "m"} for name in FFN},
        },
    },
    "dynamic-nk": {
        "cache_type": "base",
        "attention": {
            "estimated_sparsity": -1,
            "pruning_type": "blasst",
            "backend": "triton",
            "threshold": -1,
        },
    },
}
"""A file for each family, in the shape of the program's own."""

OPTIONS: dict[str, dict[str, OptionValue]] = {
    "static-k-2:4": {"result": "transposed"},
    "static-nk-cross": {"residual_maps": 2},
    "dynamic-m": {"router_width": 16},
    "dynamic-nk": {"estimate": "scores"},
}
"""What the program runs, where a family has more than one way."""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: Mapping[str, Any]) -> Path:
        file = tmp_path / "family.yaml"
        plain = json.loads(json.dumps(content))  # nothing is shared, so nothing is written as a reference
        file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        return file

    return written


@pytest.mark.parametrize("family", FILES)
def test_the_plan_is_that_of_the_family(llama: Transformer, write: Write, family: str) -> None:
    plan = plan_from_file(write(FILES[family]), llama, sparsity=0.5)
    assert plan == prune(llama, family, 0.5, **OPTIONS.get(family, {}))


@pytest.mark.parametrize("family", [name for name in FILES if name != "static-k-2:4"])
def test_the_command_line_s_sparsity_stands_where_the_file_says_minus_one(
    llama: Transformer, write: Write, family: str
) -> None:
    file = write(FILES[family])
    assert plan_from_file(file, llama, sparsity=0.25).sparsity == 0.25
    with pytest.raises(
        FileContentError, match=r"estimated_sparsity = -1; expected a sparsity beside the file"
    ):
        plan_from_file(file, llama)


def test_a_stated_sparsity_outranks_the_command_line(llama: Transformer, write: Write) -> None:
    content = {**FILES["static-m"], "layer": {"estimated_sparsity": 0.25, "pruning_type": "M"}}
    for sparsity in (None, 0.5):
        assert plan_from_file(write(content), llama, sparsity=sparsity) == prune(llama, "static-m", 0.25)


def test_sublayers_of_different_sparsities_are_steps_of_their_own(llama: Transformer, write: Write) -> None:
    content = {
        **FILES["static-nk"],
        "self_attn": {"q_proj": left("N", estimated_sparsity=0.25)},
        "mlp": {"gate_proj": left("N")},
    }
    expected = prune(llama, "static-nk", 0.25, target="heads")
    plan = plan_from_file(write(content), llama, sparsity=0.5)
    assert plan == prune(expected, "static-nk", 0.5, target="ffn")


def test_depth_and_width_compose(llama: Transformer, write: Write) -> None:
    plan = plan_from_file(write({**FILES["static-nk"], "layer": left("M")}), llama, sparsity=0.25)
    assert plan == prune(prune(llama, "static-m", 0.25), "static-nk", 0.25)


def test_routers_by_kind_rank_and_sublayer(llama: Transformer, write: Write) -> None:
    content = {
        "self_attn": {
            **left("m"),
            "router": {"router_type": "linear"},
            **matrices(("k_proj", "v_proj"), "m"),
        },
        "mlp": {**left("m"), "router": {"router_type": "bottleneck", "router_rank_size": 64}},
    }
    expected = prune(llama, "dynamic-m", 0.5, target="attention", router_width=0, dense_kv=False)
    expected = prune(expected, "dynamic-m", 0.5, target="ffn", router_width=64, dense_kv=False)
    assert plan_from_file(write(content), llama, sparsity=0.5) == expected


APPROXIMATOR = {"approximator_type": "bottleneck", "approximator_rank_size": 32}


def test_an_approximator_is_a_forecaster_of_its_rank(llama: Transformer, write: Write) -> None:
    content = changed("dynamic-m", "approximator", to=APPROXIMATOR)
    plan = plan_from_file(write(content), llama, sparsity=0.5)
    assert plan == prune(llama, "dynamic-m", 0.5, router_width=16, forecaster=32)
    for block in plan.transformer.blocks:
        assert isinstance(block.attention, Attention)
        assert isinstance(block.ffn, FeedForward)
        assert block.attention.skip is not None
        assert block.ffn.skip is not None
        assert block.attention.skip.forecaster == block.ffn.skip.forecaster == 32


def test_an_approximator_stands_by_each_sublayer_that_is_routed(llama: Transformer, write: Write) -> None:
    content = {
        "approximator": {"approximator_type": "bottleneck"},
        "mlp": {**left("m"), "router": {"router_type": "linear"}},
    }
    plan = plan_from_file(write(content), llama, sparsity=0.5)
    assert plan == prune(llama, "dynamic-m", 0.5, target="ffn", router_width=0, forecaster=16)


def test_seer_attention_pools_its_scores(llama: Transformer, write: Write) -> None:
    content = {"attention": {"estimated_sparsity": 0.4, "pruning_type": "seer"}}
    assert plan_from_file(write(content), llama) == prune(llama, "dynamic-nk", 0.4, estimate="pooled")


def changed(family: str, *path: str, to: object) -> dict[str, Any]:
    """A family's file with another value at `path`."""
    content: dict[str, Any] = json.loads(json.dumps(FILES[family]))
    table = content
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = to
    return content


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (changed("static-m", "layer", "pruning_type", to="X"), "layer.pruning_type = 'X'; expected one"),
        (changed("static-m", "layer", "estimated_sparsity", to=1.5), "estimated_sparsity = 1.5; expected"),
        (changed("static-m", "layer", "estimated_sparsity", to="-1"), "layer.estimated_sparsity = '-1'"),
        (changed("static-m", "layer", "offset", to=0.1), "layer.offset = 0.1: layers of random sparsities"),
        (changed("static-m", "layer", to=3), "layer = 3; expected a table"),
        (changed("static-m", "layer", "sparsity", to=1), "layer.sparsity = 1; expected one of the keys"),
        (changed("static-m", "colour", to=1), "colour = 1; expected one of the keys"),
        (changed("static-m", "layer", "pruning_type", to="none"), "expected something to prune"),
        (
            changed("static-k-2:4", "mlp", "up_proj", "estimated_sparsity", to=0.25),
            "mlp.gate_proj.estimated_sparsity = 0.5; expected 0.25",
        ),
        (
            changed("static-k-2:4", "mlp", "up_proj", "block_size", to=8),
            "mlp.up_proj.block_size = 8: hardware knows",
        ),
        (
            changed("static-k-2:4", "mlp", "up_proj", "pruning_type", to="unstructured"),
            "mlp.up_proj.pruning_type = 'unstructured'; expected one of",
        ),
        (
            changed("static-k-lowrank", "self_attn", "k_proj", "pruning_type", to="none"),
            "self_attn.k_proj is not base, and static-k-lowrank cuts all of self_attn",
        ),
        (changed("static-nk-cross", "prune_lm_head", to=False), "the hidden size is one for"),
        (changed("static-nk-cross", "prune_lm_head", to="yes"), "prune_lm_head = 'yes'; expected"),
        (
            changed("static-nk-cross", "mlp", "down_proj", "estimated_sparsity", to=0.25),
            "mlp.down_proj.estimated_sparsity = 0.25; expected -1",
        ),
        (changed("dynamic-m", "layer", "pruning_type", to="m"), "layer.pruning_type m routes layers"),
        (
            changed("dynamic-m", "mlp", "router", "router_type", to="mlp"),
            "mlp.router.router_type = 'mlp'; expected one of bottleneck, linear",
        ),
        (
            changed("dynamic-m", "mlp", "router", "router_rank_size", to=0),
            "mlp.router.router_rank_size = 0; expected an integer",
        ),
        (
            changed("dynamic-m", "approximator", "approximator_type", to="linear"),
            "approximator.approximator_type = 'linear'; expected bottleneck or none",
        ),
        (
            changed("dynamic-m", "approximator", to=APPROXIMATOR | {"approximator_rank_size": 2.5}),
            "approximator.approximator_rank_size = 2.5; expected an integer",
        ),
        (
            changed("dynamic-m", "approximator", "rank", to=16),
            "approximator.rank = 16; expected one of the keys approximator_type, approximator_rank_size",
        ),
        ({**FILES["static-m"], "approximator": APPROXIMATOR}, "what a router skips, and no sublayer has one"),
        (
            changed("dynamic-m", "self_attn", "k_proj", "pruning_type", to="m"),
            "self_attn.k_proj and v_proj are routed together",
        ),
        ({**FILES["dynamic-nk"], **FILES["static-m"], "attention": FILES["dynamic-nk"]["attention"],
          "self_attn": matrices(ATTENTION, "base")}, "mixes the styles"),
    ],
)  # fmt: skip
def test_what_is_no_family_is_refused(
    llama: Transformer, write: Write, content: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(InfersimError) as caught:
        plan_from_file(write(content), llama, sparsity=0.5)
    assert told in str(caught.value)
    assert isinstance(caught.value, FileContentError | UnsupportedError)
    assert "family.yaml" in str(caught.value)


def test_a_dense_file_is_no_plan(llama: Transformer, write: Write) -> None:
    with pytest.raises(FileContentError, match="expected something to prune"):
        plan_from_file(write({"cache_type": "base", "attention": DENSE_ATTENTION}), llama, sparsity=0.5)
