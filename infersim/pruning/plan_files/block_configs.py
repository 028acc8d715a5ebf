"""`block_configs` as plans: what a search chose for each layer's attention and FFN.

    {"block_configs": [{"attention": {"num_key_value_heads": 4}, "ffn": {"intermediate_size": 7168}},
                       {"attention": {"no_op": true}, "ffn": {"no_op": true}}, ...]}

Three spellings of the same: Nemotron-NAS (`n_heads_in_group`, `ffn_mult`; the models' own block_config.py),
ModelOpt's Puzzletron and AnyModel (`num_key_value_heads`, `intermediate_size` or a table `moe`, later
`subblock_configs` with `num_kv_heads`; modelopt/torch/puzzletron/block_config.py,
github.com/NVIDIA/Model-Optimizer@0feceec), and Megatron's heterogeneous layers (`num_query_groups`,
`mlp.ffn_hidden_size`). Blocks that do nothing are padding where there are more blocks than layers, else
layers that are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.pruning.families.dynamic_e import with_top_k
from infersim.pruning.families.static_e import with_experts
from infersim.pruning.families.static_m import without
from infersim.pruning.families.static_nk import with_expert_width, with_heads, with_width
from infersim.pruning.linears import refuse_latent
from infersim.pruning.plan import Plan
from infersim.pruning.plan_files.assembling import needed_model, plan_of_blocks, pruned_at_all
from infersim.workload.hf.config_keys import MAX_LAYERS
from infersim.workload.hf.nemotron_nas import intermediate_size
from infersim.workload.transformer import (
    Attention,
    Block,
    ExpertLayer,
    FeedForward,
    Linear,
    ReplacedSublayer,
    Transformer,
)

KEY = "block_configs"

_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "num_query_groups")
_WIDTHS = ("intermediate_size", "ffn_hidden_size")
_EXPERTS = (
    "num_local_experts", "num_experts_per_tok", "expert_intermediate_dim", "shared_expert_intermediate_dim",
)  # fmt: skip
_HARMLESS = ("kind", "name", "weights_precision", "unshifted_sink", "use_prefill_window_in_sink_attention")
_NAMES = {"attention": ("attention",), "ffn": ("ffn", "mlp")}


def plan_of_block_configs(entries: Sequence[object], file: Path, base: Transformer | None) -> Plan:
    """The plan whose layers are as the entries say.

    Raises FileContentError for entries that the dense layers cannot have become, UnsupportedError for
    latent attention, state-space sublayers, attention sinks and sparsified sublayers.
    """
    model = needed_model(file, base)
    if len(entries) > MAX_LAYERS:
        raise FileContentError(file, KEY, f"{len(entries)} entries", f"at most {MAX_LAYERS}")
    chosen = [_Choice.of(entry, f"{KEY}[{index}]", file) for index, entry in enumerate(entries)]
    if len(chosen) > len(model.blocks):
        chosen = [choice for choice in chosen if not choice.does_nothing]
    if len(chosen) > len(model.blocks):
        told = f"{len(chosen)} blocks that do something"
        raise FileContentError(file, KEY, told, f"at most {len(model.blocks)}, the dense model's layers")
    missing = len(model.blocks) - len(chosen)
    blocks = [choice.applied(block, model) for choice, block in zip(chosen, model.blocks, strict=False)]
    blocks += [without(block, attention=True, ffn=True) for block in model.blocks[len(chosen) :]]
    if missing and len(set(model.blocks)) > 1:
        raise UnsupportedError(f"{file}: {missing} layers are gone, and the dense ones are not all equal")
    plan = plan_of_blocks(model, blocks, file=file, key=KEY, name=file.stem)
    return pruned_at_all(plan, file, KEY)


def block_of_config(entry: object, key: str, file: Path, dense: Block, model: Transformer) -> Block:
    """What an entry makes of a dense block of a model; errors as in `plan_of_block_configs`."""
    return _Choice.of(entry, key, file).applied(dense, model)


class _Choice:
    """One entry: what became of a layer's attention and FFN."""

    def __init__(self, attention: Mapping[str, object], ffn: Mapping[str, object], key: str, file: Path):
        self.attention, self.ffn, self.key, self.file = attention, ffn, key, file

    @classmethod
    def of(cls, entry: object, key: str, file: Path) -> _Choice:
        """Find the two sublayers of an entry in any of the three spellings."""
        if not isinstance(entry, Mapping):
            raise FileContentError(file, key, entry, "a table with attention and ffn")
        if entry.get("parallel_blocks"):
            raise UnsupportedError(f"{file}: {key}.parallel_blocks is not supported")
        listed = entry.get("subblock_configs")
        if listed is not None:
            entry = _by_kind(listed, f"{key}.subblock_configs", file)
        found = {}
        for kind, names in _NAMES.items():
            name = next((name for name in names if name in entry), names[0])
            sublayer = entry.get(name)
            if not isinstance(sublayer, Mapping):
                raise FileContentError(file, f"{key}.{name}", sublayer, "a table")
            found[kind] = sublayer
        choice = cls(found["attention"], found["ffn"], key, file)
        choice._check()
        return choice

    @property
    def does_nothing(self) -> bool:
        """Whether neither sublayer is there."""
        return bool(self.attention.get("no_op")) and bool(self.ffn.get("no_op"))

    def applied(self, block: Block, model: Transformer) -> Block:
        """What became of the dense `block`."""
        attention, ffn = block.attention, block.ffn
        if not self.attention.get("no_op"):
            refuse_latent(block, f"{self.file}: {self.key}.attention")
        if isinstance(ffn, ExpertLayer) and not self.ffn.get("no_op"):
            ffn = self._experts(ffn, model)
        if isinstance(attention, Attention) and not self.attention.get("no_op"):
            attention = self._attention(attention, model)
        if isinstance(ffn, FeedForward) and not self.ffn.get("no_op"):
            ffn = self._feed_forward(ffn, model)
        left = replace(block, attention=attention, ffn=ffn)
        return without(left, attention=bool(self.attention.get("no_op")), ffn=bool(self.ffn.get("no_op")))

    def _attention(self, dense: Attention, model: Transformer) -> Attention | ReplacedSublayer:
        if self.attention.get("replace_with_linear"):
            return _linear(model)
        key = f"{self.key}.attention"
        heads = _whole(self.attention, ("num_query_heads",), key, self.file) or dense.num_heads
        group = _whole(self.attention, ("n_heads_in_group",), key, self.file)
        kv_heads = _whole(self.attention, _KV_HEADS, key, self.file)
        if group is not None:
            if kv_heads is not None or heads % group:
                expected = f"a divisor of {heads}, the query heads, and no count of KV heads beside it"
                raise FileContentError(self.file, f"{key}.n_heads_in_group", group, expected)
            kv_heads = heads // group
        if kv_heads is None:
            expected = f"a number of KV heads ({', '.join((*_KV_HEADS, 'n_heads_in_group'))}), or no_op"
            raise FileContentError(self.file, key, None, expected)
        if heads > dense.num_heads or kv_heads > dense.num_kv_heads or heads % kv_heads:
            limits = f"{dense.num_heads} and {dense.num_kv_heads}"
            expected = f"heads and KV heads of at most {limits}, the first a multiple of the second"
            raise FileContentError(self.file, key, f"{heads} and {kv_heads}", expected)
        return with_heads(dense, heads, kv_heads)

    def _feed_forward(self, dense: FeedForward, model: Transformer) -> FeedForward | ReplacedSublayer:
        if self.ffn.get("replace_with_linear"):
            return _linear(model)
        key = f"{self.key}.ffn"
        if self.ffn.get("moe") is not None:
            raise FileContentError(self.file, f"{key}.moe", self.ffn["moe"], "null: the layer has no experts")
        width = _whole(self.ffn, _WIDTHS, key, self.file)
        multiple = self.ffn.get("ffn_mult")
        if width is None and isinstance(multiple, int | float) and 0 < multiple < 64:
            width = intermediate_size(float(multiple), model.hidden)
        if width is None:
            expected = f"a width ({', '.join((*_WIDTHS, 'ffn_mult'))}), or no_op"
            raise FileContentError(self.file, key, multiple, expected)
        if width > dense.width:
            raise FileContentError(self.file, key, width, f"at most {dense.width}, the dense width")
        return with_width(dense, width)

    def _experts(self, dense: ExpertLayer, model: Transformer) -> ExpertLayer | ReplacedSublayer:
        if self.ffn.get("replace_with_linear"):
            return _linear(model)
        key, table = f"{self.key}.ffn.moe", self.ffn.get("moe")
        if not isinstance(table, Mapping):
            raise FileContentError(self.file, key, table, f"a table of {', '.join(_EXPERTS)}, or no_op")
        shared = None if dense.shared is None else dense.shared.width
        left: dict[str, int] = {}
        dense_sizes = (dense.num_experts, dense.top_k, dense.width, shared)
        for name, limit in zip(_EXPERTS, dense_sizes, strict=True):
            if limit is None:  # there is no shared expert, whatever the table has by default
                continue
            value = _whole(table, (name,), key, self.file)
            if value is not None and value > limit:
                raise FileContentError(self.file, f"{key}.{name}", value, f"at most {limit}, as it was")
            left[name] = value or limit
        experts, top_k, width, *shared_width = left.values()
        if top_k > experts:
            expected = f"at most {experts}, the experts that are left"
            raise FileContentError(self.file, f"{key}.{_EXPERTS[1]}", top_k, expected)
        layer = with_expert_width(with_top_k(with_experts(dense, experts), top_k), width)
        if layer.shared is None:
            return layer
        return replace(layer, shared=with_width(layer.shared, *shared_width))

    def _check(self) -> None:
        """Refuse what no plan can hold, and keys of no known meaning."""
        own = {
            "attention": (*_KV_HEADS, "num_query_heads", "n_heads_in_group"),
            "ffn": (*_WIDTHS, "ffn_mult", "gated", "hidden_act", "moe"),
        }
        experts = self.ffn.get("moe")
        for name in experts if isinstance(experts, Mapping) else ():
            if name not in _EXPERTS:
                raise UnsupportedError(f"{self.file}: {self.key}.ffn.moe.{name} is not supported")
        for kind, table in (("attention", self.attention), ("ffn", self.ffn)):
            for name, value in table.items():
                key = f"{self.key}.{kind}.{name}"
                if name in ("no_op", "replace_with_linear"):
                    if not isinstance(value, bool):
                        raise FileContentError(self.file, key, value, "true or false")
                elif name not in (*own[kind], *_HARMLESS) and value not in (None, False, []):
                    raise UnsupportedError(f"{self.file}: {key} = {value!r} is not supported")


def _by_kind(listed: object, key: str, file: Path) -> dict[str, object]:
    """`subblock_configs`, a list of sublayers, each with its kind; a kind that is not listed does nothing."""
    found: dict[str, object] = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    if not isinstance(listed, list):
        raise FileContentError(file, key, listed, "a list")
    seen = set()
    for index, sublayer in enumerate(listed):
        kind = sublayer.get("kind") if isinstance(sublayer, Mapping) else None
        if kind not in found or kind in seen:
            expected = "attention or ffn, each once (state-space sublayers are not supported)"
            raise FileContentError(file, f"{key}[{index}].kind", kind, expected)
        seen.add(kind)
        found[str(kind)] = sublayer
    return found


def _linear(model: Transformer) -> ReplacedSublayer:
    return ReplacedSublayer(linear=Linear(out_features=model.hidden, in_features=model.hidden))


def _whole(table: Mapping[str, object], names: Sequence[str], key: str, file: Path) -> int | None:
    """The positive integer under the one of `names` that is there; None where none is."""
    said = [name for name in names if table.get(name) is not None]
    if not said:
        return None
    value = table[said[0]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or len(said) > 1:
        raise FileContentError(file, f"{key}.{said[-1]}", table[said[-1]], "one positive integer")
    return value
