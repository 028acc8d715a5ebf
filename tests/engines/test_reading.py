"""Engines as data: by name, by file, each number with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from infersim.domain.errors import FileContentError, InvalidValueError, UnknownNameError
from infersim.engines.reading import DATA, list_engines, load_engine
from infersim.pruning.families.registry import families


def test_five_engines_are_known_by_name_alias_and_title() -> None:
    assert list_engines() == ("pruninginfersim", "sglang", "tensorrt-llm", "transformers", "vllm")
    assert load_engine("TRTLLM") is load_engine("tensorrt-llm") is load_engine("TensorRT-LLM")
    with pytest.raises(UnknownNameError, match="did you mean vllm"):
        load_engine("vlm")


@pytest.mark.parametrize("name", list_engines())
def test_each_number_has_a_source_and_each_source_a_number(name: str) -> None:
    engine = load_engine(name)
    assert engine.name == name
    assert engine.sources.keys() == engine.numbers().keys()


def test_a_file_of_ones_own_is_an_engine(tmp_path: Path) -> None:
    text = (DATA / "vllm.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text.replace("block_tokens = 16", "block_tokens = 128"), encoding="utf-8")
    assert load_engine(own).memory.block_tokens == 128
    own.write_text(text.replace('"memory.share" = "', '"memory.part" = "'), encoding="utf-8")
    with pytest.raises(FileContentError, match=r"sources\.memory\.share"):
        load_engine(own)
    own.write_text(text.replace("\nshare = 0.9", "\nshare = 1.5"), encoding="utf-8")
    with pytest.raises(FileContentError, match=r"memory\.share = 1\.5.*at most 1"):
        load_engine(own)
    with pytest.raises(InvalidValueError, match="an existing file"):
        load_engine(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("stated", "instead", "message"),
    [
        ('set = "vllm"', 'set = "mine"', r"kernels\.set = 'mine'; expected one of 'vllm', .*'torch'"),
        ('"bf16", "fp16"', '"bf61", "fp16"', r"runs\.formats\[0\] = 'bf61'; expected one of .*bf16"),
        ("[sources]", '[sources]\n"host.pace" = "me"', r"sources = 'host\.pace'; expected a key of these"),
        ("request_ms = 20.0", "request_ms = 1e300", r"host\.request_ms = 1e\+300; .*at most 1000000"),
        ("[smaller_gpus]\ngib = 70.0\n", "[smaller_gpus]\n", r"smaller_gpus\.gib = None; .*missing"),
        ("batched_tokens = 8192", "batched_tokens = 9999999999", r"scheduler\.batched_tokens = .*at most"),
    ],
)
def test_what_nobody_would_look_up_is_refused(
    tmp_path: Path, stated: str, instead: str, message: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        (DATA / "vllm.toml").read_text(encoding="utf-8").replace(stated, instead), encoding="utf-8"
    )
    with pytest.raises(FileContentError, match=message):
        load_engine(own)


def test_an_engine_has_other_limits_on_smaller_gpus(tmp_path: Path) -> None:
    """Below 70 GiB, and on A100 whatever its memory; of a file without the table on none."""
    engine = load_engine("vllm")
    small, a100, large = engine.on(44.0, "8.9"), engine.on(80.0, "8.0"), engine.on(80.0, "9.0")
    assert large.scheduler == engine.scheduler
    assert small == a100
    assert (small.scheduler.batched_tokens, small.scheduler.max_sequences) == (2048, 256)
    assert small.on(44.0, "8.9") == small
    text = (DATA / "vllm.toml").read_text(encoding="utf-8")
    table = text[text.index("[smaller_gpus]") : text.index("[memory]")]
    own = tmp_path / "own.toml"
    rest = [line for line in text.replace(table, "").splitlines() if not line.startswith('"smaller_gpus')]
    own.write_text("\n".join(rest), encoding="utf-8")
    assert load_engine(own).on(44.0, "8.9").scheduler == load_engine(own).scheduler


def test_weights_of_any_number_of_bits_are_formats(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    text = (DATA / "vllm.toml").read_text(encoding="utf-8")
    own.write_text(text.replace('"bf16", "fp16"', '"bf16", "w3a16", "w4a8"'), encoding="utf-8")
    assert {"w3a16", "w4a8"} <= set(load_engine(own).runs.formats)


def test_families_name_engines_that_are_known_each_with_a_source() -> None:
    for family in families():
        assert family.engines, family.name
        for each in family.engines:
            assert each.engine in list_engines()
            assert each.source
            assert family.support(each.engine) is each
