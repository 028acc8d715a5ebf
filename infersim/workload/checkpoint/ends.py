"""What stands around the layers, by its tensors: embedding, final norm and head, and the hidden size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.checkpoint.header import Tensor
from infersim.workload.checkpoint.matrices import Matrix, matrix_of
from infersim.workload.checkpoint.names import Module
from infersim.workload.checkpoint.norms import norm_of
from infersim.workload.checkpoint.stored import Hint, Storage
from infersim.workload.ends import Embedding, Head
from infersim.workload.sublayers.norms import Norm
from infersim.workload.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Fields of a Transformer beside its blocks; `head_matrix` None: the embedding's table is the head."""

    hidden: int
    vocab: int
    tied: bool
    embedding: Embedding
    final_norm: Norm | None
    head: Head | None
    head_matrix: Matrix | None


def read_ends(outside: Mapping[str, Module], stated: Transformer, place: str) -> Ends:
    """Embedding and head as the tensors say; FileContentError where they do not fit together."""
    if "embedding" not in outside:
        raise FileContentError(place, "embedding", None, "the tensor of an embedding: no header has one")
    found = matrix_of(outside["embedding"], Hint())
    if found.stored[0].storage is not Storage.FLOAT or found.linear.rank is not None:
        raise found.tensor.fail("one table in a float type")
    table = found.linear
    vocab, width = table.out_features, table.in_features
    hidden = _hidden(outside, width)
    head, matrix = _head(outside, stated, vocab, width, place)
    final = hidden if head is None or head.in_features is None else head.in_features
    norm = norm_of(
        outside.get("final_norm"), stated.final_norm, final, stored=False, missing=lambda: _never(place)
    )
    return Ends(
        hidden=hidden,
        vocab=vocab,
        tied=head is not None and head.labels is None and matrix is None,
        embedding=_embedding(outside, stated.embedding, hidden, width),
        final_norm=norm,
        head=head,
        head_matrix=matrix,
    )


def _never(place: str) -> FileContentError:
    return FileContentError(place, "norm", None, "a norm")


def _hidden(outside: Mapping[str, Module], width: int) -> int:
    """The embedding's width, or what it is projected to."""
    if "project_in" not in outside:
        return width
    return matrix_of(outside["project_in"], Hint(k=width)).linear.out_features


def _embedding(outside: Mapping[str, Module], stated: Embedding, hidden: int, width: int) -> Embedding:
    positions = outside.get("positions")
    if (positions is None) != (not stated.positions):
        some = next(iter((positions or outside["embedding"]).values()))
        raise some.fail("a learned table of positions" if stated.positions else "no learned positions here")
    rows = 0
    if positions is not None:
        table = matrix_of(positions, Hint())
        if table.linear.in_features != hidden:
            raise table.tensor.fail(f"rows of {hidden} values, the hidden size")
        rows = table.linear.out_features
    norm = norm_of(
        outside.get("embedding_norm"), stated.norm, hidden, stored=False, missing=lambda: _never("")
    )
    return replace(stated, width=None if width == hidden else width, positions=rows, norm=norm)


def _head(
    outside: Mapping[str, Module], stated: Transformer, vocab: int, width: int, place: str
) -> tuple[Head | None, Matrix | None]:
    """The head, and its matrix where it is not the embedding's table."""
    head, module = stated.head, outside.get("head")
    if head is None:
        if module is not None:
            raise next(iter(module.values())).fail("no head, by the config's class")
        return None, None
    matrices = {suffix: tensor for suffix, tensor in (module or {}).items() if suffix != "bias"}
    if not matrices:
        if not stated.tied_embeddings:
            raise FileContentError(place, "lm_head.weight", None, "a head of its own, as the config says")
        return replace(head, bias=bool(module)), None
    found = matrix_of(module or {}, Hint(k=width))
    linear = found.linear
    _check_outputs(linear.out_features, head, vocab, found.tensor)
    sliced = linear.in_features if linear.in_features != width else None
    labels = None if head.labels is None else linear.out_features
    head = replace(head, bias=linear.bias, in_features=sliced, labels=labels)
    shared = stated.tied_embeddings and sliced is None and labels is None
    return head, None if shared else found


def _check_outputs(outputs: int, head: Head, vocab: int, tensor: Tensor) -> None:
    if head.labels is None and outputs != vocab:
        raise UnsupportedError(
            f"{tensor.file}: {tensor.name} has {outputs} rows and the embedding {vocab}: a head of another "
            "vocabulary is not supported"
        )
