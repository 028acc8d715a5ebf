"""The weight files of a checkpoint: which ones there are, and how they are opened.

Nothing outside the folder is opened, whatever an index or a link says, and regular files only.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.files import opening
from infersim.workload.checkpoint.header import MAX_HEADER_BYTES, Tensor, json_object, read_header

SUFFIX = ".safetensors"
INDEX_SUFFIX = ".safetensors.index.json"
MAX_FILES = 4096
MAX_TENSORS = 2**20

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,6})-of-(?P<total>\d{1,6})\.safetensors")
_ADAPTER, _ADAPTER_CONFIG = "adapter_model", "adapter_config.json"
_ONLY_AN_ADAPTER = (
    "an adapter is no model of its own: merge it into its base model, and give the folder of the result"
)
_PICKLES = ("pytorch_model*.bin", "consolidated*.pth", "model*.pt", "*.ckpt")


def is_weights(path: Path) -> bool:
    """Whether a path names a weight file or an index, and not a config."""
    return path.name.endswith((SUFFIX, INDEX_SUFFIX))


def weight_files(folder: Path) -> tuple[str, ...]:
    """What to read of a folder: one name of a file, one of an index, or those of all shards; empty: none.

    Raises UnsupportedError where the weights are pickles, and FileContentError where shards are missing or
    several files could be the model.
    """
    found = sorted(path.name for path in folder.glob(f"*{SUFFIX}"))
    if _SINGLE in found:
        return (_SINGLE,)
    if (folder / _INDEX).exists():
        return (_INDEX,)
    base = [name for name in found if not name.startswith(_ADAPTER)]
    if not base:
        _refuse_others(folder, found)
        _refuse_pickles(folder)
        return ()
    return _complete(base, folder)


def tensors_of(folder: Path, names: Sequence[str]) -> dict[str, Tensor]:
    """All tensors of files of a folder by name, read by their headers; one name may be an index."""
    listed: Mapping[str, str] = {}
    if len(names) == 1 and names[0].endswith(INDEX_SUFFIX):
        listed = _index(folder, names[0])
        names = sorted(set(listed.values()))
    tensors: dict[str, Tensor] = {}
    for name in names:
        label = str(folder / name)
        with opened(folder, name) as (stream, size):
            header = read_header(stream, size, label)
        for tensor in header.values():
            if tensor.name in tensors:
                raise FileContentError(
                    label, tensor.name, "there twice", f"not in {tensors[tensor.name].file} too"
                )
            tensors[tensor.name] = tensor
        if len(tensors) > MAX_TENSORS:
            raise FileContentError(label, "tensors", len(tensors), f"at most {MAX_TENSORS} in all files")
    for tensor_name, file in listed.items():
        if tensor_name not in tensors or tensors[tensor_name].file != str(folder / file):
            raise FileContentError(folder / file, tensor_name, None, "the tensor, by the index")
    return tensors


@contextmanager
def opened(folder: Path, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """A file of the folder, open for reading, with its size; FileContentError where it must not be opened."""
    path = _inside(folder, name)
    try:
        with opening.opened(path, "file", limit=None, follow=False) as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except InvalidValueError as error:
        raise FileContentError(folder / name, error.key, error.value, error.expected) from None


def _inside(folder: Path, name: str) -> Path:
    """The real path of a file, which must lie in the folder.

    In the Hugging Face cache files of `models--NAME/snapshots/REVISION` are links to `models--NAME/blobs`.
    """
    root = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(root / name))
    allowed = [root]
    if root.parent.name == "snapshots" and root.parent.parent.name.startswith("models--"):
        allowed.append(root.parent.parent / "blobs")
    if not any(path.is_relative_to(place) and path != place for place in allowed):
        raise FileContentError(folder / name, "file", "a link out of the folder", f"a file inside {folder}")
    return path


def _index(folder: Path, name: str) -> Mapping[str, str]:
    """The `weight_map` of an index: the file of each tensor."""
    label = folder / name
    with opened(folder, name) as (stream, size):
        if size > MAX_HEADER_BYTES:
            raise FileContentError(label, "size", size, f"at most {MAX_HEADER_BYTES} bytes")
        content = json_object(stream.read(size).lstrip(), str(label), "content")
    listed = content.get("weight_map")
    if (
        not isinstance(listed, dict)
        or not listed
        or not all(isinstance(file, str) for file in listed.values())
    ):
        raise FileContentError(
            label, "weight_map", type(listed).__name__, "an object: the file of each tensor"
        )
    files = Counter(listed.values())
    if len(files) > MAX_FILES:
        raise FileContentError(label, "weight_map", f"{len(files)} files", f"at most {MAX_FILES}")
    for tensor, file in listed.items():
        parts = PurePosixPath(file.replace("\\", "/")).parts
        if not parts or file.startswith(("/", "\\")) or ".." in parts or ":" in file or "\0" in file:
            raise FileContentError(label, f"weight_map.{tensor}", file, f"the name of a file inside {folder}")
        if not file.endswith(SUFFIX):
            raise FileContentError(label, f"weight_map.{tensor}", file, f"a {SUFFIX} file")
        if files.pop(file, 0) and not (folder / file).exists():
            raise FileContentError(label, f"weight_map.{tensor}", file, "a file that is there")
    return listed


def _complete(found: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The one file, or all shards of the one set that there is."""
    shards = [_SHARD.fullmatch(name) for name in found]
    if len(found) == 1 and shards[0] is None:
        return tuple(found)
    sets = {(match["stem"], match["total"]) if match else None for match in shards}
    if len(sets) > 1 or None in sets:
        raise FileContentError(
            folder, "weight files", ", ".join(found[:8]), f"an index, {_INDEX}, or one model"
        )
    numbers = {int(match["number"]) for match in shards if match}
    total = next(int(match["total"]) for match in shards if match)
    if total > MAX_FILES or numbers != set(range(1, total + 1)):
        missing = next((number for number in range(1, total + 1) if number not in numbers), total)
        raise FileContentError(
            folder, "weight files", f"{len(found)} of {total}", f"shard {missing} of {total} too"
        )
    return tuple(found)


def _refuse_others(folder: Path, adapters: Sequence[str]) -> None:
    """Raise UnsupportedError for weights of another kind: an adapter's alone, or GGUF."""
    if adapters:
        raise UnsupportedError(f"{folder / adapters[0]}: {_ONLY_AN_ADAPTER}")
    refuse_adapter(folder)
    for path in sorted(folder.glob("*.gguf"))[:1]:
        raise UnsupportedError(
            f"{path}: GGUF files are not read, and their formats are named in them only; give the "
            "config.json of the model before conversion, and the format by --dtype"
        )


def has_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter."""
    return (folder / _ADAPTER_CONFIG).exists()


def refuse_adapter(folder: Path) -> None:
    """Raise UnsupportedError for a folder that holds an adapter, and no model."""
    if has_adapter(folder):
        raise UnsupportedError(f"{folder / _ADAPTER_CONFIG}: {_ONLY_AN_ADAPTER}")


def _refuse_pickles(folder: Path) -> None:
    for pattern in _PICKLES:
        for path in sorted(folder.glob(pattern)):
            raise UnsupportedError(
                f"{path}: a pickle can run any code when it is opened, so it is not read; save it with "
                f"save_pretrained(..., safe_serialization=True) or safetensors.torch.save_file, or give the "
                "config.json itself if its shapes are those of the weights"
            )
