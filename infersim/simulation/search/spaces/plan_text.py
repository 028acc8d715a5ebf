"""A plan layer by layer as the text of a plan file, which `compare --plan` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infersim.domain.errors import InfersimError
from infersim.domain.shapes import WeightForm
from infersim.simulation.search.spaces.choices import Sublayer
from infersim.simulation.search.spaces.space import Slot, Space
from infersim.workload.formats import named_matrices
from infersim.workload.presets import load_model
from infersim.workload.transformer import Attention, Block, ExpertLayer, FeedForward, LatentAttention


def plan_text(space: Space, places: Sequence[int], name: str, about: Sequence[str] = ()) -> str:
    """The file; `about` are lines of comment at its head."""
    gone: dict[Sublayer, set[int]] = {sublayer: set() for sublayer in Sublayer}
    tables: dict[int, list[str]] = {}
    for slot, place in zip(space.slots, places, strict=True):
        if slot.made[place] is None:
            gone[slot.sublayer].add(slot.layer)
        elif place:
            tables.setdefault(slot.layer, []).extend(_said(slot, place))
    lines = [*(f"# {' '.join(line.split())}" for line in about)]
    if _is_preset(space):
        lines.append(f'model = "{space.model.name}"')
    lines.append(f'name = "{name}"')
    lines += _removed(space, gone)
    for layers, table in _ranges({layer: _merged(several) for layer, several in tables.items()}):
        lines += ["", f'[layer."{layers}"]', *table]
    return "\n".join(lines) + "\n"


def _is_preset(space: Space) -> bool:
    try:
        return load_model(space.model.name).blocks == space.model.blocks
    except InfersimError:
        return False


def _removed(space: Space, gone: dict[Sublayer, set[int]]) -> Iterator[str]:
    """Layers that lose all that they had, and single sublayers of others."""
    blocks = space.model.blocks
    attention, ffn = gone[Sublayer.ATTENTION], gone[Sublayer.FFN]
    layers = {
        layer
        for layer in attention | ffn
        if (layer in attention or blocks[layer].attention is None)
        and (layer in ffn or blocks[layer].ffn is None)
    }
    lists = {"layers": layers, "attention": attention - layers, "ffn": ffn - layers}
    if any(lists.values()):
        yield from ("", "[remove]")
        for key, several in lists.items():
            if several:
                yield f"{key} = [{', '.join(map(_entry, _runs(sorted(several))))}]"


def _entry(run: tuple[int, int]) -> str:
    first, last = run
    return str(first) if first == last else f'"{first}-{last}"'


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive numbers together."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _ranges(tables: dict[int, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Consecutive layers of equal tables as one."""
    numbers = sorted(tables)
    start = 0
    for place in range(1, len(numbers) + 1):
        ends = place == len(numbers) or numbers[place] != numbers[place - 1] + 1
        if ends or tables[numbers[place]] != tables[numbers[start]]:
            first, last = numbers[start], numbers[place - 1]
            yield (str(first) if first == last else f"{first}-{last}"), tables[first]
            start = place


def _said(slot: Slot, place: int) -> Iterator[str]:
    """The keys of a layer's table that make a slot's choice."""
    choice, became, dense = slot.choices[place], slot.made[place], slot.made[0]
    if choice.linear is not None:
        yield f"linear = {{ {slot.sublayer} = {choice.linear} }}"
    if isinstance(became, Attention) and isinstance(dense, Attention):
        if became.num_heads != dense.num_heads:
            yield f"num_heads = {became.num_heads}"
        if became.num_kv_heads != dense.num_kv_heads:
            yield f"num_kv_heads = {became.num_kv_heads}"
    if isinstance(became, FeedForward) and isinstance(dense, FeedForward) and became.width != dense.width:
        yield f"ffn_width = {became.width}"
    experts = {
        "num_experts": choice.num_experts,
        "top_k": choice.top_k,
        "expert_width": choice.expert_width,
    }
    yield from (f"{name} = {value}" for name, value in experts.items() if value is not None)
    if choice.linear is None:
        yield from _matrices(slot, place)
    if choice.format is not None:
        yield f'format = {{ {slot.sublayer} = "{choice.format}" }}'


def _matrices(slot: Slot, place: int) -> Iterator[str]:
    became = slot.made[place]
    block = (
        Block(attention=became, ffn=None)
        if isinstance(became, Attention | LatentAttention)
        else Block(attention=None, ffn=became)
    )
    matrices = [] if isinstance(became, ExpertLayer) else list(named_matrices(block))
    ranks = [f"{name} = {linear.rank}" for name, linear in matrices if linear.rank is not None]
    if ranks:
        yield f"rank = {{ {', '.join(ranks)} }}"
    sparse = [f'"{name}"' for name, linear in matrices if linear.form is WeightForm.SPARSE_2_4]
    if sparse:
        yield f"sparse_2_4 = [{', '.join(sparse)}]"


def _merged(lines: Sequence[str]) -> list[str]:
    """A layer's keys, those of both sublayers as one (TOML has each key once)."""
    found: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" = ")
        found.setdefault(key, []).append(value)
    return [f"{key} = {_joined(values)}" for key, values in found.items()]


def _joined(values: Sequence[str]) -> str:
    if len(values) == 1:
        return values[0]
    opening, closing = values[0][0], values[0][-1]
    inner = ", ".join(value[1:-1].strip() for value in values)
    return f"{opening} {inner} {closing}" if opening == "{" else f"{opening}{inner}{closing}"
