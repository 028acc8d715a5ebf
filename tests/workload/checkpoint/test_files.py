"""Which files a folder means, and that nothing else is opened."""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, InfersimError, InvalidValueError, UnsupportedError
from infersim.workload.checkpoint.reading import transformer_from_path
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.presets import load_model
from tests.workload.checkpoint.llama import CONFIG, shapes_of
from tests.workload.checkpoint.writing import write_checkpoint, write_config, write_shard

INDEX = "model.safetensors.index.json"
MODEL = transformer_from_config(CONFIG, name="it")
SHAPES = shapes_of(MODEL)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A folder with one weight file."""
    return write_checkpoint(tmp_path / "it", CONFIG, SHAPES)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A folder with an index and three shards."""
    return write_checkpoint(tmp_path / "it", CONFIG, SHAPES, shards=3)


def change_index(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    change(content)
    (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def test_a_folder_an_index_and_a_file_are_the_same_model(whole: Path, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "other", CONFIG, SHAPES, shards=2)
    for path in (whole, whole / "model.safetensors", other, other / INDEX, str(other)):
        assert load_model(path).blocks == MODEL.blocks
        assert (
            load_model(path).name
            == Path(str(path).removesuffix(INDEX).removesuffix("model.safetensors")).name
        )


def test_the_config_s_own_path_is_the_config_alone(whole: Path) -> None:
    (whole / "model.safetensors").write_bytes(b"damaged")
    assert load_model(whole / "config.json") == MODEL
    with pytest.raises(FileContentError):
        load_model(whole)


def test_a_folder_without_weights_is_its_config(tmp_path: Path) -> None:
    assert load_model(write_config(tmp_path / "it", CONFIG)) == MODEL


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "consolidated.00.pth"]
)
def test_pickles_are_never_opened(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_config(tmp_path / "it", CONFIG)
    (folder / name).write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    monkeypatch.setattr("pickle.loads", None)
    monkeypatch.setattr("pickle.load", None)
    with pytest.raises(
        UnsupportedError, match=f"{name}: a pickle can run any code .*safe_serialization=True"
    ):
        load_model(folder)
    write_shard(folder / "model.safetensors", SHAPES)
    assert load_model(folder) == MODEL


def test_weights_without_a_config(tmp_path: Path) -> None:
    write_shard(tmp_path / "model.safetensors", SHAPES)
    with pytest.raises(InvalidValueError, match=r"config\.json beside the weight files"):
        load_model(tmp_path / "model.safetensors")
    with pytest.raises(InvalidValueError, match=r"a folder that holds config\.json"):
        load_model(tmp_path)
    with pytest.raises(InvalidValueError, match="a file"):
        transformer_from_path(tmp_path / "no.safetensors")


def test_shards_without_an_index_must_be_complete(sharded: Path) -> None:
    (sharded / INDEX).unlink()
    assert load_model(sharded) == MODEL
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileContentError, match="weight files = '2 of 3'; expected shard 2 of 3 too"):
        load_model(sharded)


def test_several_models_in_one_folder(whole: Path) -> None:
    (whole / "model.safetensors").rename(whole / "one.safetensors")
    assert load_model(whole) == MODEL
    write_shard(whole / "two.safetensors", SHAPES)
    with pytest.raises(
        FileContentError, match=r"weight files = 'one.safetensors, two.safetensors'; expected an index"
    ):
        load_model(whole)


def test_an_index_that_names_a_missing_file(sharded: Path) -> None:
    missing = "model-00002-of-00003.safetensors"
    (sharded / missing).unlink()
    with pytest.raises(
        FileContentError, match=rf"{INDEX}: weight_map\.\S+ = '{missing}'; expected a file that is"
    ):
        load_model(sharded)


def test_an_index_that_names_a_tensor_elsewhere(sharded: Path) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    other = json.loads((sharded / INDEX).read_text())["weight_map"]["model.layers.0.self_attn.k_proj.weight"]
    change_index(sharded, lambda index: index["weight_map"].update({name: other}))
    with pytest.raises(FileContentError, match=rf"{other}: {name} = None; expected the tensor, by the index"):
        load_model(sharded)
    change_index(sharded, lambda index: index["weight_map"].update({"model.more.weight": other}))
    with pytest.raises(FileContentError, match="expected the tensor, by the index"):
        load_model(sharded)


def test_a_tensor_in_two_shards(sharded: Path) -> None:
    name = "model.layers.0.self_attn.k_proj.weight"
    first = json.loads((sharded / INDEX).read_text())["weight_map"]
    other = next(file for file in first.values() if file != first[name])
    part = {each: SHAPES[each] for each, file in first.items() if file == other}
    write_shard(sharded / other, {**part, name: SHAPES[name]})
    with pytest.raises(FileContentError, match=rf"{name} = 'there twice'; expected not in .*safetensors too"):
        load_model(sharded)


@pytest.mark.parametrize(
    "file",
    [
        "../secret.safetensors",
        "a/../../secret.safetensors",
        "/etc/secret.safetensors",
        "..\\secret.safetensors",
        "C:\\secret.safetensors",
        "",
        "config.json",
        "model.safetensors\0.safetensors",
    ],
)
def test_an_index_that_leads_out_of_the_folder(sharded: Path, file: str) -> None:
    write_shard(sharded.parent / "secret.safetensors", SHAPES)
    change_index(sharded, lambda index: index["weight_map"].update({"lm_head.weight": file}))
    opened = watched(lambda: load_model(sharded), FileContentError, r"weight_map\.lm_head\.weight")
    assert all("secret" not in path for path in opened)


@pytest.mark.parametrize("inside", ["model.safetensors", INDEX, "config.json"])
def test_links_out_of_the_folder(tmp_path: Path, inside: str) -> None:
    secret = tmp_path / "secret"
    folder = write_checkpoint(tmp_path / "it", CONFIG, SHAPES, shards=2 if inside == INDEX else 1)
    (folder / inside).rename(secret)
    (folder / inside).symlink_to(secret)
    opened = watched(
        lambda: load_model(folder), FileContentError, f"{inside}: file = 'a link out of the folder'"
    )
    assert all("secret" not in path for path in opened)


def watched(call: Callable[[], object], error: type[InfersimError], match: str) -> list[str]:
    """The real paths of all files that `call` opens until it fails as expected."""
    opened: list[str] = []
    real_open, real_os_open = builtins.open, os.open

    def note(path: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(path, int):
            opened.append(os.path.realpath(path))
        return real_os_open(path, *args, **options)

    def note_open(path: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(path, int):
            opened.append(os.path.realpath(path))
        return real_open(path, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", note)
        patch.setattr(builtins, "open", note_open)
        patch.setattr("io.open", note_open)
        with pytest.raises(error, match=match):
            call()
    return opened


def test_links_inside_the_folder_are_files_of_it(whole: Path) -> None:
    (whole / "model.safetensors").rename(whole / "blob")
    (whole / "model.safetensors").symlink_to("blob")
    assert load_model(whole) == MODEL


def test_the_cache_of_the_hub_links_to_its_blobs(tmp_path: Path) -> None:
    blobs = tmp_path / "models--someone--it" / "blobs"
    snapshot = tmp_path / "models--someone--it" / "snapshots" / "abc"
    write_checkpoint(snapshot, CONFIG, SHAPES)
    blobs.mkdir()
    for name in ("model.safetensors", "config.json"):
        (snapshot / name).rename(blobs / name[:3])
        (snapshot / name).symlink_to(f"../../blobs/{name[:3]}")
    assert load_model(snapshot).blocks == MODEL.blocks


def test_only_regular_files(whole: Path) -> None:
    (whole / "model.safetensors").unlink()
    os.mkfifo(whole / "model.safetensors")
    with pytest.raises(FileContentError, match="expected a regular file, and this is a pipe"):
        load_model(whole)


def test_a_truncated_shard(sharded: Path) -> None:
    path = sharded / "model-00003-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileContentError, match=r"model-00003-of-00003\.safetensors: size = "):
        load_model(sharded)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "content = '\\[\\]'; expected a JSON object"),
        ("{}", "weight_map = 'NoneType'"),
        ('{"weight_map": {}}', "weight_map = 'dict'"),
        ('{"weight_map": {"a": 1}}', "weight_map ="),
        ('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', "a = 'there twice'"),
        ('{"weight_map": {"a": ' + "[" * 100_000, "content ="),
    ],
)
def test_a_damaged_index(sharded: Path, content: str, message: str) -> None:
    (sharded / INDEX).write_text(content, encoding="utf-8")
    with pytest.raises(FileContentError, match=f"{INDEX}: {message}"):
        load_model(sharded)


def test_an_index_of_any_size_is_bounded(sharded: Path) -> None:
    with (sharded / INDEX).open("r+b") as stream:
        stream.truncate(2**30)
    with pytest.raises(FileContentError, match=f"{INDEX}: size = {2**30}"):
        load_model(sharded)


def test_weights_of_another_kind_are_not_passed_over(tmp_path: Path) -> None:
    folder = write_config(tmp_path / "it", CONFIG)
    (folder / "it.Q4_K_M.gguf").write_bytes(b"GGUF")
    with pytest.raises(UnsupportedError, match=r"it\.Q4_K_M\.gguf: GGUF files are not read"):
        load_model(folder)


def test_an_adapter_beside_a_model_is_told(whole: Path) -> None:
    (whole / "adapter_config.json").write_text("{}")
    assert load_model(whole).notes == (
        "an adapter lies beside the weight files: it is left out, as if it were merged",
    )


def test_an_adapter_in_a_pickle_is_no_model(tmp_path: Path) -> None:
    folder = write_config(tmp_path / "it", CONFIG)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(UnsupportedError, match=r"adapter_config\.json: an adapter is no model of its own"):
        load_model(folder)


@pytest.mark.parametrize("with_config", [True, False])
def test_an_adapter_is_no_model(tmp_path: Path, with_config: bool) -> None:
    folder = write_config(tmp_path / "it", CONFIG)
    (folder / "adapter_config.json").write_text("{}")
    write_shard(folder / "adapter_model.safetensors", {"base_model.model.lora_A.weight": ("F32", (4, 8))})
    if not with_config:
        (folder / "config.json").unlink()
    with pytest.raises(UnsupportedError, match="an adapter is no model of its own: merge it into its base"):
        load_model(folder)
