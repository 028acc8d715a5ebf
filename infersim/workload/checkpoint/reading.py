"""A model from a checkpoint: headers of weight files outrank the config, and differences are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError
from infersim.files.opening import as_text
from infersim.workload.checkpoint.contradictions import contradictions
from infersim.workload.checkpoint.ends import Ends, read_ends
from infersim.workload.checkpoint.expert_names import TRANSPOSED_EXPERTS
from infersim.workload.checkpoint.files import (
    has_adapter,
    is_weights,
    opened,
    refuse_adapter,
    tensors_of,
    weight_files,
)
from infersim.workload.checkpoint.formats import as_stored_in_files
from infersim.workload.checkpoint.layers import LayerReader
from infersim.workload.checkpoint.names import TRANSPOSED, NamedTensors, named
from infersim.workload.checkpoint.stored import HEAD, StoredMatrices
from infersim.workload.hf.config_keys import MAX_LAYERS
from infersim.workload.hf.json_files import CONFIG_NAME, NEIGHBOURS, read_json_object, with_neighbours
from infersim.workload.hf.reading import Stated, stated_by_config, transformer_from_file
from infersim.workload.transformer import Block, Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The shapes of a model by its weight files, how each matrix is stored, and what its config says.

    `model` says nothing of formats but 2:4.
    """

    model: Transformer
    stored: StoredMatrices
    stated: Stated


def transformer_from_path(path: str | Path) -> Transformer:
    """Read a folder, an index, a weight file beside its config, or a config alone.

    Weight files count wherever a folder has them; the path of a `config.json` is that config alone. Raises
    InvalidValueError where there is no such file, FileContentError for its content, UnsupportedError for what
    is out of scope.
    """
    file = Path(path)
    if file.is_dir():
        if not (file / CONFIG_NAME).is_file():
            refuse_adapter(file)
        names = weight_files(file) if (file / CONFIG_NAME).is_file() else ()
    elif is_weights(file):
        if not file.is_file():
            raise InvalidValueError("model", str(path), "a file")
        file, names = file.parent, (file.name,)
    else:
        names = ()
    if not names:
        return transformer_from_file(path)
    checkpoint = read_checkpoint(file, names)
    stated = checkpoint.stated
    return as_stored_in_files(
        checkpoint.model, checkpoint.stored, stated.formats, stated.model_type, file / CONFIG_NAME
    )


def read_checkpoint(folder: Path, names: Sequence[str]) -> Checkpoint:
    """The model whose weight files are `names`, or the index of that name, in `folder`."""
    place = folder / CONFIG_NAME
    if not place.is_file():
        expected = f"{CONFIG_NAME} beside the weight files: they do not say which heads there are"
        raise InvalidValueError("model", str(folder), expected)
    for beside in (CONFIG_NAME, *NEIGHBOURS):
        if (folder / beside).exists():
            with opened(folder, beside):  # which checks that it is a file of the folder
                pass
    config = with_neighbours(read_json_object(place), place)
    stated = stated_by_config(config, name=as_text(folder.resolve().name), file=place, shapes_known=True)
    tensors = tensors_of(folder, names)
    drafting = _drafting(config, stated)
    found = named(tensors.values(), stated.model_type, towers=stated.wrapped, drafting=drafting)
    model, stored = _model(found, stated, place)
    if has_adapter(folder):
        left_out = "an adapter lies beside the weight files: it is left out, as if it were merged"
        model = replace(model, notes=(*model.notes, left_out))
    return Checkpoint(model=model, stored=stored, stated=stated)


def _drafting(config: Mapping[str, object], stated: Stated) -> range:
    """Numbers of the layers behind the last one that predict further tokens: the config's notes say so."""
    text = config.get("text_config")
    further = [
        place.get("num_nextn_predict_layers") for place in (config, text) if isinstance(place, Mapping)
    ]
    count = next((each for each in further if isinstance(each, int)), 0)
    layers = len(stated.layers)
    return range(layers, layers + min(count, MAX_LAYERS))


def _model(found: NamedTensors, stated: Stated, place: Path) -> tuple[Transformer, StoredMatrices]:
    ends = read_ends(found.outside, stated.model, str(place.parent))
    if not found.layers:
        raise FileContentError(place.parent, "layers", None, "the tensors of a layer: no header has any")
    norms = {"attention_norm", "ffn_norm", "attention_post_norm", "ffn_post_norm"}
    stored_norms = any(norms & set(roles) for roles in found.layers.values())
    transposed = stated.model_type in TRANSPOSED
    reader = LayerReader(
        hidden=ends.hidden,
        transposed=transposed,
        stored_norms=stored_norms,
        transposed_experts=stated.model_type in TRANSPOSED_EXPERTS,
    )
    last = max(found.layers)
    templates = _templates(found, stated, place)
    read = {
        number: reader.block(
            number,
            found.layers[number],
            templates[number],
            last=number == last,
            experts=found.experts.get(number, 0),
        )
        for number in sorted(found.layers)
    }
    kept = {number: block for number, block in read.items() if block.attention or block.ffn}
    _check_output(kept, ends, found)
    numbers = tuple(kept)
    shared: dict[Block, Block] = {}  # equal blocks as one object
    model = replace(
        stated.model,
        hidden=ends.hidden,
        vocab=ends.vocab,
        tied_embeddings=ends.tied,
        blocks=tuple(shared.setdefault(block, block) for block in kept.values()),
        embedding=ends.embedding,
        final_norm=ends.final_norm,
        head=ends.head,
        layer_numbers=None if numbers == tuple(range(len(numbers))) else numbers,
    )
    told = [*contradictions(stated.model, stated.layers, model, set(found.layers))]
    if found.cache_scales and (stated.formats is None or stated.formats.kv_dtype is None):
        told.append(
            "the weight files hold scales of an 8-bit KV cache, of which the config says nothing: it is in "
            "16 bit unless --kv-dtype says otherwise"
        )
    stored = dict(reader.stored)
    if ends.head_matrix is not None:
        stored[HEAD] = ends.head_matrix.stored
    return replace(model, notes=(*model.notes, *told)), stored


def _templates(found: NamedTensors, stated: Stated, place: Path) -> dict[int, Block]:
    """What the config says of each layer that is there.

    A layer beyond the config's, or one that does nothing there, is as the others where these are all alike.
    """
    alike = {block for block in stated.layers if block.attention and block.ffn}
    made = {}
    for number in found.layers:
        block = stated.layers[number] if number < len(stated.layers) else None
        if block is None or block.attention is None or block.ffn is None:
            if len(alike) == 1:
                (block,) = alike
            elif block is None:
                expected = f"at least {max(found.layers) + 1}, the layers of the weight files: layers differ"
                raise FileContentError(place, "num_hidden_layers", len(stated.layers), expected)
        made[number] = block
    return made


def _check_output(kept: Mapping[int, Block], ends: Ends, found: NamedTensors) -> None:
    """The last layer's result must be as wide as what reads it."""
    if not kept:
        return
    number = max(kept)
    block = kept[number]
    out = block.linears[-1].out_features
    wanted = ends.hidden if ends.head is None else ends.head.in_features or ends.hidden
    if out != wanted:
        some = next(iter(next(iter(found.layers[number].values())).values()))
        raise FileContentError(
            some.file, f"layer {number}", f"{out} outputs", f"{wanted}, which the head reads"
        )
