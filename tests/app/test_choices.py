"""Choices, addresses, controls and command lines say the same."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infersim.app.choices import STOPS, Choices
from infersim.app.command_lines import compare_line, serve_line
from infersim.app.models import OWN, chosen_model, packed_text, packed_upload
from infersim.domain.errors import InfersimError
from infersim.engines.reading import list_engines
from infersim.profile_files.profiles import list_profiles
from infersim.pruning.families.registry import families
from infersim.workload.presets import list_models

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "num_hidden_layers": 3,
    "vocab_size": 32000,
    "torch_dtype": "bfloat16",
}


def dropped(text: str) -> str:
    """A file as a browser sends it."""
    return f"data:application/json;base64,{b64encode(text.encode()).decode()}"


@st.composite
def some_choices(draw: st.DrawFn) -> Choices:
    places: dict[str, Any] = {name: draw(st.sampled_from(stops)) for name, stops in STOPS.items()}
    pruned = [
        (
            family.name,
            draw(st.integers(1, 95)) / 100 if family.fixed_sparsity is None else family.fixed_sparsity,
        )
        for family in families()
        if draw(st.booleans())
    ]
    return Choices(
        model=draw(st.sampled_from(list_models())),
        gpu=draw(st.sampled_from(list_profiles())),
        versus=draw(st.sampled_from(("", *list_profiles()))),
        engine=draw(st.sampled_from(list_engines())),
        dtype=draw(st.sampled_from(("", "fp8", "w4a16"))),
        phase=draw(st.sampled_from(("prefill", "decode"))),
        losses=draw(st.sampled_from(("", "static-k-2:4"))),
        families=tuple(pruned),
        **places,
    )


@given(some_choices())
@settings(max_examples=25, deadline=None)
def test_address_and_controls_keep_every_choice(choices: Choices) -> None:
    assert Choices.from_query(f"?{choices.query()}") == choices
    assert Choices.from_controls(choices.controls()) == choices


def test_an_address_without_choices_is_the_first_visit() -> None:
    assert Choices.from_query("") == Choices()
    assert Choices.from_query("?batch=8").batch == 8


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("gpu=h1000", "h100"),
        ("batch=3", "1, 2, 4"),
        ("batch=9999999999999", "batch"),
        ("colour=red", "choice"),
        ("families=static-m@2", "0.01 to 0.95"),
        ("families=static-m@nan", "0.01 to 0.95"),
        ("families=static-q@0.5", "static-m"),
        ("phase=both", "prefill"),
        ("model=config&config=xyz", "config"),
        ("losses=static-q", "family"),
    ],
)
def test_what_no_address_of_the_page_holds_is_refused_with_what_was_expected(query: str, said: str) -> None:
    with pytest.raises(InfersimError, match=said):
        Choices.from_query(query)


def test_an_address_holds_a_dropped_config() -> None:
    packed = packed_upload(dropped(json.dumps(CONFIG, indent=4)), "tiny.json")
    choices = Choices(model=OWN, config=packed, config_name="tiny.json")
    again = Choices.from_query(choices.query())
    assert json.loads(packed_text(again.config)) == CONFIG
    model = chosen_model(again.model, again.config, again.config_name)
    assert (model.hidden, len(model.blocks)) == (1024, 3)
    assert "--model tiny.json " in compare_line(again)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"model_type": "llama"}', '{"a": ' * 100_000, " " * 300_000, "\x00"]
)
def test_a_dropped_file_that_describes_no_model_is_refused(text: str) -> None:
    with pytest.raises(InfersimError):
        packed_upload(dropped(text), "config.json")


def test_a_dropped_config_states_each_key_once() -> None:
    twice = json.dumps(CONFIG)[:-1] + ', "hidden_size": 64}'
    with pytest.raises(InfersimError, match="hidden_size = 'there twice'; expected each key once"):
        packed_upload(dropped(twice), "tiny.json")


def test_a_packed_config_that_grows_without_end_is_refused() -> None:
    import zlib
    from base64 import urlsafe_b64encode

    bomb = urlsafe_b64encode(zlib.compress(b" " * 3_000_000, 9)).decode()
    with pytest.raises(InfersimError, match="at most"):
        packed_text(bomb)


def test_the_command_lines_name_every_choice() -> None:
    choices = Choices(
        versus="a100-sxm-80gb",
        dtype="fp8",
        kv_dtype="fp8",
        gpus=2,
        phase="decode",
        batch=16,
        families=(("static-m", 0.25), ("static-nk", 0.4)),
    )
    both = "--model llama-3.1-8b --gpu h100-sxm,a100-sxm-80gb --families static-m@0.25,static-nk@0.4 "
    run = "--dtype fp8 --kv-dtype fp8 --gpus 2 --engine vllm "
    assert compare_line(choices) == f"infersim compare {both}{run}--phase decode --batch 16 --context 4096"
    assert serve_line(choices) == f"infersim serve {both}{run}--prompt 4096 --output 256 --concurrency 64"


def test_a_file_name_is_one_word_of_the_command_line() -> None:
    packed = packed_upload(dropped(json.dumps(CONFIG)), "my model; rm.json")
    choices = Choices(model=OWN, config=packed, config_name="my model; rm.json")
    assert "--model 'my model; rm.json' " in compare_line(choices)


def test_no_choice_is_a_path(tmp_path: Path) -> None:
    """An address that somebody else wrote must not make the page read files."""
    file = tmp_path / "gpu.toml"
    file.write_text("", encoding="utf-8")
    for name in ("model", "gpu", "versus", "engine"):
        with pytest.raises(InfersimError, match="unknown"):
            Choices.from_query(f"{name}={file}")
