"""What users get wrong: one message that names the value and what was expected, exit code 2."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.conftest import Infersim
from tests.report.handmade import check_order, check_says

Refused: TypeAlias = Callable[..., str]

COMPARE = ("compare", "-m", "llama-3.1-8b", "-g", "h100-sxm", "-c", "1024")
PREDICT = ("predict", "-m", "llama-3.1-8b", "-g", "h100-sxm", "-c", "1024")


@pytest.mark.parametrize(
    ("arguments", "closest", "others"),
    [
        (("predict", "-m", "llama-3.1-8b", "-g", "H100-SMX", "-c", "9"), "h100-sxm", "a100-sxm-80gb"),
        (("predict", "-m", "llama-31-8b", "-g", "l4", "-c", "9"), "llama-3.1-8b", "qwen3-8b"),
        ((*COMPARE, "-f", "static-kn"), "static-nk", "kv-pruning"),
        ((*PREDICT, "--dtype", "bf15"), "bf16", "w4a16"),
        ((*PREDICT, "--kv-dtype", "pf8"), "fp8", "bf16"),
        ((*PREDICT, "--execution", "fuzed"), "fused", "separate"),
        ((*PREDICT, "--phase", "decoding"), "decode", "prefill"),
        ((*PREDICT, "--set", "memory.bandwith_gb_s=1"), "memory.bandwidth_gb_s", "chip.sm_count"),
        (("predict", "-m", "llama-3.1-8b", "-g", "l4", "--request", "reason"), "reasoning", "generation"),
        (("gpus", "RTX PRO 600"), "rtx-pro-6000", "t4"),
        (("reproduce", "beyond-flop"), "beyond-flops", "beyond-flops"),
        (("import", "vidor", "x", "--out", "y.csv"), "vidur", "neusight"),
    ],
)
def test_unknown_names_list_what_exists_closest_first(
    refused: Refused, arguments: tuple[str, ...], closest: str, others: str
) -> None:
    message = refused(*arguments)
    assert f"did you mean {closest}" in message
    assert others in message.partition("known:")[2]


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "nan", "inf", "many", "1,,2", "", "99999999999", "1e3"])
@pytest.mark.parametrize(("option", "key"), [("--batch", "batch"), ("--context", "context")])
def test_impossible_batches_and_contexts(refused: Refused, option: str, key: str, value: str) -> None:
    message = refused(*PREDICT, f"{option}={value}")
    assert message.startswith(f"Error: {key} = ")
    assert "integer" in message


@pytest.mark.parametrize("value", ["0", "-4", "2.5", "nan", "wide", "999999999999"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_impossible_dimensions_of_a_gemm(refused: Refused, place: int, value: str) -> None:
    shape = ["16", "4096", "4096"]
    shape[place] = value
    message = refused("gemm", *shape, "-g", "h100-sxm")
    assert message.startswith(f"Error: {'mnk'[place]} = ")
    assert "integer" in message


def test_a_gemm_of_hours(refused: Refused) -> None:
    message = refused("gemm", "100000000", "16000000", "16000000", "-g", "l4")
    check_says(message, "hour", "l4")


@pytest.mark.parametrize("value", ["1", "1.0", "-0.1", "50", "nan", "inf", "half", "0.5,,", "25%"])
def test_impossible_sparsities(refused: Refused, value: str) -> None:
    message = refused(*COMPARE, f"--sparsity={value}")
    assert message.startswith("Error: sparsity = ")
    assert "expected a" in message


def test_a_sparsity_that_the_only_family_cannot_have(refused: Refused) -> None:
    message = refused(*COMPARE, "-f", "static-k-2:4", "-s", "0.25")
    check_order(message, "static-k-2:4", "0.25", "0.5")


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("predict", "-m", "llama-3.1-8b", "-g", "l4"), "context"),
        (("predict", "-g", "l4", "-c", "9"), "model"),
        ((*PREDICT, "--request", "generation"), "context"),
        (("predict", "-m", "llama-3.1-8b", "-g", "l4", "--prompt", "9"), "output"),
        (("predict", "-m", "llama-3.1-8b", "-g", "l4", "--prompt", "0", "--output", "9"), "prompt_len"),
        ((*PREDICT, "--prompt", "9", "--output", "9", "--request", "x"), "request"),
        (("predict", "-m", "llama-3.1-8b", "-g", ",", "-c", "9"), "gpu"),
        ((*PREDICT, "--set", "memory.bandwidth_gb_s"), "set"),
        ((*PREDICT, "--set", "memory.bandwidth_gb_s=fast"), "set"),
        ((*COMPARE, "-f", ","), "families"),
        (("gemm", "1", "2", "3", "-g", "l4", "--sparsity", "1:2"), "sparsity"),
        (("gemm", "1", "2", "3", "-g", "l4", "--weight-copies", "0"), "weight_copies"),
    ],
)
def test_what_is_missing_or_too_much_is_named(refused: Refused, arguments: tuple[str, ...], key: str) -> None:
    assert refused(*arguments).startswith(f"Error: {key} = ")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--gpus", "1,2", r"(a whole number|valid integer\.)\nFor example --gpus 1"),
        ("--requests", "1.5", r"(a whole number|valid integer\.)"),
        ("--price-per-hour", "x", r"(a number|valid float\.)"),
    ],
)
def test_a_value_of_another_type_is_named(infersim: Infersim, option: str, value: str, expected: str) -> None:
    """In our words, or behind how the command is used in those of the lowest version of typer."""
    ran = infersim("serve", "-m", "llama-3.1-8b", "-g", "l4", option, value)
    name = option[2:].replace("-", "[-_]")
    assert (ran.code, ran.out) == (2, "")
    assert re.search(rf"Error: .*{name}.*'{value}'.*{expected}\s*$", ran.err)


def test_an_example_of_several_numbers_has_several(refused: Refused) -> None:
    check_says(refused(*COMPARE, "--gpus", "1.5"), "for example --gpus 1,2,4")


def test_a_data_type_that_the_gpu_lacks(refused: Refused) -> None:
    message = refused("predict", "-m", "llama-3.1-8b", "-g", "v100-sxm", "-c", "9")
    check_order(message, "v100-sxm", "bf16", "--dtype", "fp16", "int8")


def test_json_and_csv_at_once(refused: Refused) -> None:
    check_says(refused("models", "--json", "--csv"), "--json", "--csv")


CONFIG = {
    "model_type": '"llama"',
    "hidden_size": "4096",
    "intermediate_size": "14336",
    "num_hidden_layers": "32",
    "num_attention_heads": "32",
    "num_key_value_heads": "8",
    "vocab_size": "128256",
    "max_position_embeddings": "131072",
}


def config(folder: Path, **changes: str) -> str:
    path = folder / "config.json"
    text = ", ".join(f'"{key}": {value}' for key, value in (CONFIG | changes).items())
    path.write_text(f"{{{text}}}")
    return str(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": "5"}, ("num_key_value_heads = 5", "32")),
        ({"num_hidden_layers": "NaN"}, ("num_hidden_layers = nan",)),
        ({"model_type": '"mamba2"', "state_size": "128"}, ("mamba2", "state-space")),
    ],
)
def test_bad_configs_name_file_key_value_and_expectation(
    refused: Refused, tmp_path: Path, changes: dict[str, str], said: tuple[str, ...]
) -> None:
    message = refused("predict", "-m", config(tmp_path, **changes), "-g", "l4", "-c", "9")
    assert "config.json" in message
    for part in said:
        assert part in message


def test_a_good_config_is_not_refused(tmp_path: Path, answered: Callable[..., object]) -> None:
    answered("predict", "-m", config(tmp_path), "-g", "h100-sxm", "-c", "9")


def test_damaged_json(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"hidden_size": 4096,,}')
    message = refused("predict", "-m", str(path), "-g", "l4", "-c", "9")
    assert "config.json: line 1, column 22" in message
    assert "valid JSON" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[remove]\nlayers = [40]\n", ("remove.layers[0] = 40", "0 to 31")),
        ('[[step]]\nfamily = "static-nk"\nsparsity = 1.5\n', ("step[0]", "sparsity")),
        ("[remove\nlayers = [1]\n", ("valid TOML",)),
        ('model = "qwen3-8b"\n[remove]\nlayers = [1]\n', ("model = 'qwen3-8b'", "llama-3.1-8b")),
    ],
)
def test_bad_plans_name_file_key_value_and_expectation(
    refused: Refused, tmp_path: Path, text: str, said: tuple[str, ...]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    message = refused(*COMPARE, "--plan", str(path))
    assert "mine.toml" in message
    for part in said:
        assert part in message


def test_damaged_profiles(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[memory]\nbandwidth_gb_s = fast\n")
    assert "mine.toml" in refused("gemm", "1", "2", "3", "-g", str(path))
    path.write_text('name = "mine"\n')
    assert "mine.toml" in refused("gpus", str(path))


def test_files_that_are_not_there(refused: Refused, tmp_path: Path) -> None:
    for option in ("--plan", "--pruned-config", "--measured"):
        assert "gone" in refused(*COMPARE, option, str(tmp_path / "gone.json"))
    assert "gone.toml" in refused("gpus", str(tmp_path / "gone.toml"))
    assert "gone" in refused("import", "vidur", str(tmp_path / "gone"), "--out", "y.csv")


def test_measurements_that_contradict_themselves(refused: Refused, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(
        "gpu,model,family,sparsity,phase,batch,context,dense_ms,pruned_ms,measured_speedup\n"
        "l4,llama-3.1-8b,static-m,0.5,decode,1,512,10,5,3.0\n"
    )
    message = refused(*COMPARE, "--measured", str(own))
    assert "own.csv, line 2: measured_speedup = 3.0; expected 2.000" in message


def test_samples_that_are_none_are_listed(refused: Refused, tmp_path: Path) -> None:
    data = tmp_path / "linear.csv"
    data.write_text("OPName,Latency,Device,B,M,N,K\nlinear,0.5,Tesla T4,1,-64,512,2048\n")
    message = refused("import", "neusight", str(data), "--out", str(tmp_path / "y.csv"))
    assert "line 2" in message
    assert "--skip-bad" in message


def test_a_link_to_itself_and_a_name_too_long_are_told(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    question = ("compare", "-m", "llama-3.1-8b", "-c", "9")
    check_says(refused(*question, "-g", "./loop.toml"), "loop.toml", "an existing file")
    assert "at most 255 bytes" in refused(*question, "-g", f"{'a' * 300}.toml")


def test_a_sparsity_beside_a_target_and_one_that_is_missing(refused: Refused) -> None:
    both = refused(*COMPARE, "--target-speedup", "1.5", "--sparsity", "0.25")
    assert both.startswith("Error: sparsity = '0.25'; expected none beside --target-speedup")
    assert "families = 'static-nk@'; expected FAMILY@SPARSITY" in refused(*COMPARE, "-f", "static-nk@")


def test_a_number_that_is_set_twice(refused: Refused) -> None:
    twice = ("--set", "memory.bandwidth_gb_s=2000", "--set", "memory.bandwidth_gb_s=3000")
    assert refused(*PREDICT, *twice).startswith(
        "Error: set = 'memory.bandwidth_gb_s=3000'; expected each key once"
    )
