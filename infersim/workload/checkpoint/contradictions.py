"""Where weight files and config differ: one line each, with both values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    LatentAttention,
    Transformer,
)


def contradictions(
    stated: Transformer, stated_layers: Sequence[Block], found: Transformer, layers: Collection[int]
) -> Iterator[str]:
    """What the config says and what the weight files hold, where these are not the same.

    `stated_layers` are the config's blocks by number, `layers` the numbers in the weight files.
    """
    for name, said, is_there in (
        ("hidden size", stated.hidden, found.hidden),
        ("vocabulary", stated.vocab, found.vocab),
        ("learned positions", stated.embedding.positions, found.embedding.positions),
        ("embedding width", stated.embedding.width, found.embedding.width),
    ):
        if said != is_there:
            there = "as the hidden size" if is_there is None else is_there
            said_so = "the hidden size" if said is None else said
            yield f"{name} {there} in the weight files, which count; the config says {said_so}"
    yield from _layers(stated, stated_layers, found, layers)
    for name, size in _SIZES.items():
        expected, there_are = _values(stated, size), _values(found, size)
        differing = sum(
            bool(each - (_of(stated_layers, number, size) or expected))
            for number, each in zip(_numbers(found), _each(found, size), strict=True)
        )
        if differing:
            yield (
                f"{name} {_span(there_are)} in the weight files, which count; the config says "
                f"{_span(expected)} (other than that in {differing} of {len(found.blocks)} layers)"
            )
    if stated.head is not None and found.head is not None and stated.head.labels != found.head.labels:
        yield (
            f"{found.head.labels} labels in the weight files, which count; the config says "
            f"{stated.head.labels}"
        )


def _layers(
    stated: Transformer, stated_layers: Sequence[Block], found: Transformer, layers: Collection[int]
) -> Iterator[str]:
    if len(found.blocks) != len(stated.blocks):
        missing = sorted(set(range(max(layers) + 1)) - set(layers))
        gaps = f" (not there: {_ranges(missing)})" if missing else ""
        there, said = len(found.blocks), len(stated.blocks)
        yield f"{there} layers in the weight files{gaps}, which count; the config says {said}"
    for name, has in _SUBLAYERS.items():
        without = [
            number
            for number, block in zip(_numbers(found), found.blocks, strict=True)
            if not has(block) and (number >= len(stated_layers) or has(stated_layers[number]))
        ]
        if without and any(map(has, stated_layers)):
            yield f"layers {_ranges(without)} have not {name} in the weight files, which count"


def _numbers(model: Transformer) -> Collection[int]:
    return range(len(model.blocks)) if model.layer_numbers is None else model.layer_numbers


def _heads(block: Block) -> object:
    attention = block.attention
    return attention.num_heads if isinstance(attention, Attention | LatentAttention) else None


def _kv_heads(block: Block) -> object:
    attention = block.attention
    return attention.num_kv_heads if isinstance(attention, Attention) else None


def _head_dim(block: Block) -> object:
    attention = block.attention
    return attention.head_dim if isinstance(attention, Attention) else None


def _width(block: Block) -> object:
    return block.ffn.width if isinstance(block.ffn, FeedForward) else None


def _has_attention(block: Block) -> bool:
    return isinstance(block.attention, Attention | LatentAttention)


def _experts(block: Block) -> object:
    return block.ffn.num_experts if isinstance(block.ffn, ExpertLayer) else None


def _expert_width(block: Block) -> object:
    return block.ffn.width if isinstance(block.ffn, ExpertLayer) else None


def _shared_width(block: Block) -> object:
    shared = block.ffn.shared if isinstance(block.ffn, ExpertLayer) else None
    return None if shared is None else shared.width


def _latent_rank(block: Block) -> object:
    return block.attention.kv_lora_rank if isinstance(block.attention, LatentAttention) else None


def _index_heads(block: Block) -> object:
    index = block.attention.indexer if isinstance(block.attention, LatentAttention) else None
    return None if index is None else index.num_heads


def _has_ffn(block: Block) -> bool:
    return isinstance(block.ffn, FeedForward | ExpertLayer)


_SUBLAYERS = {"attention": _has_attention, "an FFN": _has_ffn}

_SIZES: dict[str, Callable[[Block], object]] = {
    "heads": _heads,
    "KV heads": _kv_heads,
    "head size": _head_dim,
    "FFN width": _width,
    "experts": _experts,
    "width of experts": _expert_width,
    "width of shared experts": _shared_width,
    "rank of latent K and V": _latent_rank,
    "heads of the indexer": _index_heads,
}


def _each(model: Transformer, size: Callable[[Block], object]) -> list[set[int]]:
    return [{value} if isinstance(value := size(block), int) else set() for block in model.blocks]


def _of(layers: Sequence[Block], number: int, size: Callable[[Block], object]) -> set[int]:
    value = size(layers[number]) if number < len(layers) else None
    return {value} if isinstance(value, int) else set()


def _values(model: Transformer, size: Callable[[Block], object]) -> set[int]:
    return set().union(*_each(model, size))


def _span(values: set[int]) -> str:
    if not values:
        return "none"
    return str(min(values)) if len(values) == 1 else f"{min(values)} to {max(values)}"


def _ranges(numbers: list[int]) -> str:
    """`3, 22-28`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
