"""Files: losses of users and of Puzzletron, and tables as other programs' searches read them.

Readers here are written from the documentation of those programs, not from what writes the files.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError, UnsupportedError
from infersim.pruning.plan_files.reading import plan_from_file
from infersim.simulation.search.importance.files import importance_from_file
from infersim.simulation.search.spaces.choices import Choice, Sublayer
from tests.simulation.search.toys import DECODE, gpu, toy

ROWS = [
    (layer, sublayer, choice, round(0.1 * (layer + 1) * weight, 3))
    for layer in range(3)
    for sublayer, choice, weight in (
        ("attention", "none", 2.0),
        ("ffn", "width=2048", 1.0),
        ("ffn", "none", 3.0),
    )
]


def csv(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    path = folder / "losses.csv"
    pd.DataFrame(rows, columns=["layer", "sublayer", "choice", "loss"]).to_csv(path, index=False)
    return path


def test_losses_of_a_file_are_its_rows_and_its_choices(tmp_path: Path) -> None:
    path = csv(tmp_path, ROWS)
    found = importance_from_file(path, toy())
    assert found.measured
    assert found.single[1, Sublayer.FFN] == {Choice(ffn_width=2048): 0.2, Choice(removed=True): 0.6}
    assert found.texts == {"attention": ["none"], "ffn": ["width=2048", "none"]}
    answer = sim.search(toy(), gpu(), path, target_speedup=1.3, points=0, uniform=False, **DECODE)
    assert set(answer.layers["ffn"]) <= {"kept", "width=2048", "none"}


def test_parquet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "losses.parquet"
    pd.DataFrame(ROWS, columns=["layer", "sublayer", "choice", "loss"]).to_parquet(path)
    assert importance_from_file(path, toy()).single[0, Sublayer.ATTENTION] == {Choice(removed=True): 0.2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-3], "no loss for attention of layer 2"),
        (lambda rows: rows[:-1], "no loss for layer 2 ffn none"),
        (lambda rows: [*rows[:-1], (2, "ffn", "none", float("nan"))], "loss = None"),
        (lambda rows: [*rows[:-1], (2, "ffn", "none", float("inf"))], "a finite number"),
        (lambda rows: [*rows, (3, "ffn", "none", 1.0)], "layer = 3; expected 0 to 2"),
        (lambda rows: [*rows, rows[0]], "each choice of layer 0 attention once"),
        (lambda rows: [*rows, (-1, "ffn", "none", 1.0)], "a layer, numbered from 0"),
        (lambda rows: [*rows, (0, "mlp", "none", 1.0)], "one of attention, ffn"),
        (lambda rows: [*rows, (0, "ffn", "kv_heads=2", 1.0)], "for ffn: kept, none"),
        (lambda rows: rows[:0], "at least one loss"),
    ],
)
def test_bad_losses_are_told(tmp_path: Path, change: Any, words: str) -> None:
    path = csv(tmp_path, change(ROWS))
    with pytest.raises(InfersimError, match=words):
        sim.search(toy(), gpu(), path, target_speedup=1.3, points=0, uniform=False, **DECODE)


def test_a_column_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("layer,sublayer,loss\n0,ffn,1\n")
    with pytest.raises(FileContentError, match="choice"):
        importance_from_file(path, toy())


def block(kv_heads: int | None, width: int | None) -> dict[str, Any]:
    """A block config as Puzzletron writes it: every field, no_op where there is nothing."""
    return {
        "attention": {
            "no_op": kv_heads is None,
            "replace_with_linear": False,
            "num_key_value_heads": kv_heads,
        },
        "ffn": {"no_op": width is None, "replace_with_linear": False, "intermediate_size": width},
        "parallel_blocks": None,
    }


def changed(kind: str, **keys: Any) -> dict[str, Any]:
    """A block config with other keys of its attention or FFN."""
    whole = block(4, 2048)
    return {**whole, kind: {**whole[kind], **keys}}


BLOCKS = [block(4, 4096), block(4, 2048), block(None, 4096), block(None, 2048)]


def replaced(layer: int, place: int) -> dict[str, Any]:
    return {
        "parent_layer_indices": [layer],
        "block_config": BLOCKS[place],
        "metrics": {"lm_loss": 2.0 + place, "kl_div_loss": 0.1 * place * (layer + 1)},
        "is_teacher": place == 0,
    }


def test_puzzletron_s_metrics_are_losses_of_whole_layers(tmp_path: Path) -> None:
    path = tmp_path / "replacement_metrics_and_stats.json"
    entries = [replaced(layer, place) for layer in range(3) for place in range(4)]
    path.write_text(json.dumps({f"replacement_{index}": each for index, each in enumerate(entries)}))
    found = importance_from_file(path, toy())
    assert found.pairs[1][Choice(removed=True), Choice(ffn_width=2048)] == pytest.approx(0.6)
    assert importance_from_file(path, toy(), "lm_loss").pairs[0][Choice(), Choice()] == 2.0
    answer = sim.search(toy(), gpu(), path, target_speedup=1.3, points=4, **DECODE)
    assert set(answer.layers["attention"]) <= {"kept", "none"}
    pairs = list(zip(answer.layers["attention"], answer.layers["ffn"], strict=True))
    known = {("kept", "kept"): 0, ("kept", "width=2048"): 1, ("none", "kept"): 2, ("none", "width=2048"): 3}
    expected = [0.1 * known[pair] * (layer + 1) for layer, pair in enumerate(pairs)]
    assert answer.layers["loss"].tolist() == pytest.approx(expected)
    assert answer.answer["loss"].iloc[0] == pytest.approx(sum(expected))


def test_a_folder_of_puzzletron_s_solutions_is_the_same(tmp_path: Path) -> None:
    for index, (layer, place) in enumerate((layer, place) for layer in range(3) for place in range(1, 4)):
        entry = replaced(layer, place)
        content = {
            "puzzle_solution": {
                "single_sequence_replacement": {
                    "parent_layer_indices": [layer],
                    "child_block_configs": [entry["block_config"]],
                    "weight_paths": [],
                }
            },
            "kl_div_loss": {"avg": entry["metrics"]["kl_div_loss"], "per_sample": []},
            "args": {"teacher_dir": "somewhere"},
        }
        (tmp_path / f"solution_{index}.json").write_text(json.dumps(content))
    found = importance_from_file(tmp_path, toy())
    assert found.pairs[2][Choice(removed=True), Choice()] == pytest.approx(0.6)
    assert found.pairs[0][Choice(), Choice()] == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parent_layer_indices": [9]}, "expected 0 to 2"),
        ({"parent_layer_indices": [0, 1]}, "a list of one layer"),
        ({"metrics": {"accuracy": 0.5}}, "one of kl_div_loss"),
        ({"metrics": {"kl_div_loss": None}}, "a finite number"),
        ({"metrics": {"kl_div_loss": "0.5"}}, r"replacement_0\.metrics\.kl_div_loss = '0\.5'"),
        ({"metrics": {"kl_div_loss": True}}, "a finite number"),
        ({"parent_layer_indices": [True]}, r"replacement_0\.parent_layer_indices = \[True\]"),
        ({"block_config": block(3000, 4096)}, "KV heads of at most 8 and 4"),
        ({"block_config": block(3, 4096)}, "the first a multiple of the second"),
        ({"block_config": block(4, 9999)}, "at most 4096, the dense width"),
        ({"block_config": {"attention": {"no_op": True}}}, "a table"),
        ({"block_config": changed("ffn", no_op="false")}, r"ffn\.no_op = 'false'; expected true or false"),
        ({"block_config": changed("attention", window_length=64)}, "window_length = 64 is not supported"),
    ],
)
def test_bad_metrics_are_told(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"replacement_0": {**replaced(0, 1), **change}}))
    with pytest.raises((FileContentError, UnsupportedError), match=words):
        importance_from_file(path, toy())


def test_two_losses_of_one_replacement_are_told(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"one": replaced(2, 1), "again": replaced(2, 1)}))
    assert len(importance_from_file(path, toy()).pairs[2]) == 2
    other = {**replaced(2, 1), "metrics": {"kl_div_loss": 9.0}}
    path.write_text(json.dumps({"one": replaced(2, 1), "again": other}))
    with pytest.raises(FileContentError, match=r"again\.block_config = 9\.0; expected 0\.3, as .* layer 2"):
        importance_from_file(path, toy())


def test_experts_of_puzzletron_s_blocks_are_choices(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    moe = {"num_local_experts": 64, "num_experts_per_tok": 4, "expert_intermediate_dim": 768}
    entry = {
        **replaced(0, 1),
        "block_config": {"attention": block(4, None)["attention"], "ffn": {"moe": moe}},
    }
    path.write_text(json.dumps({"replacement_0": entry}))
    found = importance_from_file(path, sim.load_model("qwen3-30b-a3b"))
    assert found.pairs[0][Choice(), Choice(num_experts=64, top_k=4)] == pytest.approx(0.1)


def test_an_empty_folder_holds_no_losses(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"solution_\*.json"):
        importance_from_file(tmp_path, toy())


REQUEST: dict[str, Any] = {"request": sim.Request(prompt_len=256, output_len=32), "batch": 2}


def stats_by_args(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """`filter_subblock_stats_by_args` of mip/run_puzzle.py: one entry whose args hold all that is wanted."""
    matching = [each for each in json.loads(path.read_text()) if wanted.items() <= each["args"].items()]
    assert len(matching) == 1
    return dict(matching[0])


def block_stats(
    stats: dict[str, Any], attention: dict[str, Any], ffn: dict[str, Any], layer: int
) -> dict[str, Any]:
    """`_get_block_stats`: both subblocks by config and layer, which must have the same keys, added."""
    by_key = {}
    for each in stats["subblocks"]:
        fields = {"subblock_config", "subblock_config_class", "parent_layer_index"}
        numbers = {name: value for name, value in each.items() if name not in fields}
        config = json.dumps(each["subblock_config"], sort_keys=True)
        by_key[each["subblock_config_class"], config, each["parent_layer_index"]] = numbers
    own = [
        by_key[name, json.dumps(config, sort_keys=True), layer]
        for name, config in (("AttentionConfig", attention), ("FFNConfig", ffn))
    ]
    assert own[0].keys() == own[1].keys()
    return {name: own[0][name] + own[1][name] for name in own[0]}


def test_puzzletron_reads_its_stats(tmp_path: Path) -> None:
    path = tmp_path / "subblock_stats.json"
    choices = {"attention": ["kv_heads=2", "none"], "ffn": ["width=2048", "none", "2:4"]}
    sim.write_latency_table(path, toy(), gpu(), choices=choices, **REQUEST)
    stats = stats_by_args(path, {"batch_size": 2, "weights_dtype": "torch.bfloat16"})
    shared = {"no_op": False, "replace_with_linear": False, "sparsify": None, "weights_precision": "bf16"}
    attention = {**shared, "num_key_value_heads": 2, "llama4": None, "mamba": None}
    ffn = {**shared, "moe": None, "intermediate_size": 2048}
    layers = [block_stats(stats, attention, ffn, layer) for layer in range(3)]
    whole = sum(each["runtime_ms"] for each in layers) + stats["non_block"]["runtime_ms"]
    text = 'name = "half"\n[layer."0-2"]\nnum_kv_heads = 2\nffn_width = 2048\n'
    (tmp_path / "half.toml").write_text(text)
    predicted = sim.predict(plan_from_file(tmp_path / "half.toml", toy()), gpu(), **REQUEST).iloc[0]
    assert whole == pytest.approx(predicted["latency_ms"])
    parameters = sum(each["num_params"] for each in layers) + stats["non_block"]["num_params"]
    assert (
        parameters
        == 3 * (1024 * 1024 * 2 + 2 * 1024 * 256 + 3 * 1024 * 2048 + 2 * 1024) + 2 * 8000 * 1024 + 1024
    )
    assert layers[0]["kv_cache_memory_mib"] == pytest.approx(2 * 288 * 2 * 256 * 2 / 2**20, rel=0.01)
    assert all("2:4" not in str(each) for each in stats["subblocks"])


def timings(path: Path) -> tuple[float, float, dict[str, dict[str, float]]]:
    """`get_timings` of SPDY: base, prunable, then of each layer the time of each level."""
    lines = path.read_text().splitlines()
    assert (lines[0], lines[2]) == ("base", "prunable")
    layers: dict[str, dict[str, float]] = {}
    name = ""
    for line in lines[4:]:
        words = line.split(" ")
        if len(words) == 1:
            name = line
            layers[name] = {}
        else:
            layers[name][words[1]] = float(words[0])
    return float(lines[1]), float(lines[3]), layers


def test_spdy_reads_its_timings(tmp_path: Path) -> None:
    path = tmp_path / "timings.txt"
    choices = {"attention": ["heads=4+kv_heads=2", "none"], "ffn": ["width=2048", "fp8", "none"]}
    sim.write_latency_table(path, toy(), gpu(), choices=choices, **DECODE)
    base, prunable, layers = timings(path)
    dense = sim.predict(toy(), gpu(), **DECODE)["latency_ms"].iloc[0] / 1e3
    assert base == pytest.approx(dense, rel=1e-4)
    assert prunable == pytest.approx(sum(levels["0.0000"] for levels in layers.values()), rel=1e-4)
    assert list(layers)[:2] == ["model.layers.0.self_attn", "model.layers.0.mlp"]
    assert all(levels["1.0000"] == 0 for levels in layers.values())
    assert len(layers["model.layers.0.mlp"]) == 3  # fp8 is no level


def test_halp_reads_its_table(tmp_path: Path) -> None:
    """`_get_layer_latency`: a key of batch, cin, cout, feature size, kernel, stride and groups."""
    path = tmp_path / "lut.pkl"
    sim.write_latency_table(path, toy(), gpu(), choices={"ffn": ["width=2048", "none"]}, **DECODE)
    table = pickle.loads(path.read_bytes())
    up = sim.gemm_latency(gpu(), 8, 2048, 1024)
    assert table["8_1024_2048_1_1_1_1"] == pytest.approx(float(up.latency_s) * 1e3)
    assert table.keys() == {
        f"8_{k}_{n}_1_1_1_1" for k, n in ((1024, 4096), (4096, 1024), (1024, 2048), (2048, 1024))
    }


def test_csv_and_parquet_are_the_frame(tmp_path: Path) -> None:
    frame = sim.latency_table(toy(1), gpu(), **DECODE)
    sim.write_latency_table(tmp_path / "t.csv", toy(1), gpu(), **DECODE)
    sim.write_latency_table(tmp_path / "t.parquet", toy(1), gpu(), **DECODE)
    for read in (
        pd.read_csv(tmp_path / "t.csv", keep_default_na=False),
        pd.read_parquet(tmp_path / "t.parquet"),
    ):
        pd.testing.assert_frame_equal(read, frame, check_dtype=False)


@pytest.mark.parametrize(
    ("name", "keywords", "error", "words"),
    [
        ("t.doc", DECODE, InvalidValueError, "a file that ends in .csv"),
        ("t.json", DECODE, UnsupportedError, "whole requests"),
        ("t.txt", {**DECODE, "phase": "both"}, UnsupportedError, "one scenario"),
        ("t.pkl", REQUEST, UnsupportedError, "one pass"),
    ],
)
def test_tables_that_a_format_cannot_hold(
    tmp_path: Path, name: str, keywords: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        sim.write_latency_table(tmp_path / name, toy(1), gpu(), **keywords)
