"""Losses from files: a user's CSV or Parquet, or what ModelOpt's Puzzletron measured.

    layer,sublayer,choice,loss
    0,ffn,width=7168,0.031
    0,attention,none,0.22

Puzzletron scores a model in which one layer is replaced. Read are its `replacement_metrics_and_stats.json`
(each replacement with `parent_layer_indices`, `block_config` and `metrics`), and a folder of
`solution_*.json` (`puzzle_solution.single_sequence_replacement` and metrics with an `avg`), as
modelopt/torch/puzzletron/mip/run_puzzle.py of github.com/NVIDIA/Model-Optimizer@042e019 has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from infersim.domain.errors import FileContentError, InvalidValueError, UnsupportedError
from infersim.files.foreign import read_json
from infersim.files.reading import check_spelt, rows_of
from infersim.pruning.plan_files.block_configs import block_of_config
from infersim.simulation.search.importance.losses import RULES, Importance, Pair
from infersim.simulation.search.spaces.choices import DENSE, Choice, Sublayer, parsed
from infersim.workload.transformer import (
    Attention,
    AttentionSublayer,
    ExpertLayer,
    FeedForward,
    FfnSublayer,
    Transformer,
)

COLUMNS = ("layer", "sublayer", "choice", "loss")
METRICS = ("kl_div_loss", "cosine_embedding_loss_hidden_states", "cosine_embedding_loss", "lm_loss")
"""Losses of Puzzletron, the first that a file has is taken."""

MOST_FILES = 100_000


def importance_from_file(path: str | Path, model: Transformer, metric: str | None = None) -> Importance:
    """Losses of a file or folder; FileContentError names file, place, value and expectation.

    `metric` chooses among those of Puzzletron.
    """
    file = Path(path)
    if not file.exists():
        raise InvalidValueError("importance", str(path), f"an existing file, or a rule: {', '.join(RULES)}")
    if file.is_dir():
        return _of_folder(file, model, metric)
    if file.suffix.lower() == ".json":
        return _of_metrics(file, model, metric)
    return _of_rows(file)


def _of_rows(file: Path) -> Importance:
    single: dict[tuple[int, Sublayer], dict[Choice, float]] = {}
    for where, cells in rows_of(file, "importance"):
        check_spelt(cells, COLUMNS, where)
        for column in COLUMNS:
            if column not in cells:
                expected = "a value, but the cell is empty or the column missing"
                raise FileContentError(where, column, None, expected)
        layer = _whole(where, cells["layer"])
        name = str(cells["sublayer"]).strip()
        if name not in tuple(Sublayer):
            raise FileContentError(where, "sublayer", name, f"one of {', '.join(Sublayer)}")
        sublayer = Sublayer(name)
        try:
            choice = parsed(str(cells["choice"]).strip(), sublayer)
        except InvalidValueError as error:
            raise FileContentError(where, "choice", cells["choice"], error.expected) from None
        losses = single.setdefault((layer, sublayer), {})
        if choice in losses:
            raise FileContentError(where, "choice", choice.text, f"each choice of layer {layer} {name} once")
        losses[choice] = _loss(where, "loss", cells["loss"])
    if not single:
        raise FileContentError(file, "rows", 0, "at least one loss")
    return Importance(label=file.name, measured=True, single=single, pairs={})


def _whole(where: object, cell: object) -> int:
    try:
        value = float(str(cell))
    except ValueError:
        value = -1.0
    if not (value >= 0 and value.is_integer() and value < 2**20):
        raise FileContentError(where, "layer", cell, "a layer, numbered from 0")
    return int(value)


def _loss(where: object, key: str, cell: object) -> float:
    try:
        value = float(str(cell))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FileContentError(where, key, cell, "a finite number")
    return value


def _metric(file: Path, key: str, metrics: Mapping[str, object], name: str) -> float:
    """The loss of that name: a number of JSON, no text and not true."""
    if name not in metrics:
        known = ", ".join(sorted(metrics)[:8]) or "none"
        raise FileContentError(file, key, name, f"one of the losses there are: {known}")
    if type(metrics[name]) not in (int, float):
        raise FileContentError(file, f"{key}.{name}", metrics[name], "a finite number")
    return _loss(file, f"{key}.{name}", metrics[name])


def _of_metrics(file: Path, model: Transformer, metric: str | None) -> Importance:
    content = read_json(file, "importance")
    if not isinstance(content, Mapping) or not content:
        told = "an empty object" if content == {} else type(content).__name__
        raise FileContentError(file, "the file", told, "replacements by name")
    pairs: dict[int, dict[Pair, float]] = {}
    taken = metric
    for name, replaced in content.items():
        entry = _table(replaced, name, file)
        metrics = _table(entry.get("metrics"), f"{name}.metrics", file)
        taken = taken or _chosen(metrics, f"{name}.metrics", file)
        loss = _metric(file, f"{name}.metrics", metrics, taken)
        _add(pairs, entry, f"{name}.block_config", entry.get("block_config"), loss, model, file)
    return _of_pairs(pairs, f"{file.name} ({taken})")


def _of_folder(folder: Path, model: Transformer, metric: str | None) -> Importance:
    files = sorted(folder.glob("*solution*.json"))
    if len(files) > MOST_FILES:
        raise FileContentError(folder, "solutions", f"{len(files)} files", f"at most {MOST_FILES}")
    if not files:
        raise InvalidValueError("importance", str(folder), "a folder with Puzzletron's solution_*.json")
    pairs: dict[int, dict[Pair, float]] = {}
    taken = metric
    for file in files:
        content = _table(read_json(file, "importance"), "the file", file)
        key = "puzzle_solution.single_sequence_replacement"
        solution = _table(content.get("puzzle_solution"), "puzzle_solution", file)
        replaced = _table(solution.get("single_sequence_replacement"), key, file)
        metrics = {name: value["avg"] for name, value in _averaged(content)}
        taken = taken or _chosen(metrics, "metrics", file)
        loss = _metric(file, "metrics", metrics, taken)
        children = replaced.get("child_block_configs")
        if not isinstance(children, list) or len(children) != 1:
            raise FileContentError(file, f"{key}.child_block_configs", children, "a list of one block")
        _add(pairs, replaced, f"{key}.child_block_configs[0]", children[0], loss, model, file)
    return _of_pairs(pairs, f"{folder.name} ({taken})")


def _averaged(content: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for name, value in content.items():
        if isinstance(value, Mapping) and "avg" in value:
            yield name, value


def _chosen(metrics: Mapping[str, object], key: str, file: Path) -> str:
    found = next((name for name in METRICS if name in metrics), None)
    if found is None:
        shown = ", ".join(sorted(metrics)[:8]) or "none"
        expected = f"one of {', '.join(METRICS)}, or another by metric="
        raise FileContentError(file, key, shown, expected)
    return found


def _of_pairs(pairs: dict[int, dict[Pair, float]], label: str) -> Importance:
    for losses in pairs.values():
        losses.setdefault((DENSE, DENSE), 0.0)
    return Importance(label=label, measured=True, single={}, pairs=pairs)


def _add(
    pairs: dict[int, dict[Pair, float]],
    entry: Mapping[str, object],
    key: str,
    block: object,
    loss: float,
    model: Transformer,
    file: Path,
) -> None:
    """One replacement of one layer."""
    layers, place = entry.get("parent_layer_indices"), f"{key.rpartition('.')[0]}.parent_layer_indices"
    if not isinstance(layers, list) or len(layers) != 1 or type(layers[0]) is not int:
        raise FileContentError(file, place, layers, "a list of one layer")
    layer = layers[0]
    if not 0 <= layer < len(model.blocks):
        expected = f"0 to {len(model.blocks) - 1}, the layers of {model.name}"
        raise FileContentError(file, place, layer, expected)
    dense = model.blocks[layer]
    became = block_of_config(block, key, file, dense, model)
    pair = (_of_attention(dense.attention, became.attention), _of_ffn(dense.ffn, became.ffn, key, file))
    losses = pairs.setdefault(layer, {})
    if losses.get(pair, loss) != loss:
        told = f"{losses[pair]:g}, as the same replacement of layer {layer} has before, or each one once"
        raise FileContentError(file, f"the loss of {key}", loss, told)
    losses[pair] = loss


def _of_attention(dense: AttentionSublayer | None, became: AttentionSublayer | None) -> Choice:
    if became == dense:
        return DENSE
    if became is None:
        return Choice(removed=True)
    if isinstance(dense, Attention) and isinstance(became, Attention):
        return Choice(
            num_heads=_other(dense.num_heads, became.num_heads),
            num_kv_heads=_other(dense.num_kv_heads, became.num_kv_heads),
        )
    return Choice(linear=0)


def _of_ffn(dense: FfnSublayer | None, became: FfnSublayer | None, key: str, file: Path) -> Choice:
    if became == dense:
        return DENSE
    if became is None:
        return Choice(removed=True)
    if isinstance(dense, FeedForward) and isinstance(became, FeedForward):
        return Choice(ffn_width=became.width)
    if isinstance(dense, ExpertLayer) and isinstance(became, ExpertLayer):
        if became.shared != dense.shared:
            raise UnsupportedError(f"{file}: {key}: other widths of shared experts are no choice of a search")
        return Choice(
            num_experts=_other(dense.num_experts, became.num_experts),
            top_k=_other(dense.top_k, became.top_k),
            expert_width=_other(dense.width, became.width),
        )
    return Choice(linear=0)


def _other(dense: int, became: int) -> int | None:
    return None if became == dense else became


def _table(value: object, key: str, file: Path) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise FileContentError(file, key, value, "a table")
    return value
