"""The record of a model type: what its configuration class and its code say, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from infersim.workload.hf.config_keys import Keys
from infersim.workload.sublayers.norms import RMS_NORM, Norm, QkNorm

Flag: TypeAlias = bool | str | Callable[[Keys], bool]
"""Always, never, the name of a key that says so, or what several keys say together."""

LayerWindows: TypeAlias = Callable[[Keys], list[int | None]]
"""The sliding window of each layer (None: full attention)."""

LayersWithExperts: TypeAlias = Callable[[Keys], list[bool]]
"""Whether each layer has experts."""

LayersWithIndexer: TypeAlias = Callable[[Keys], list[bool]]
"""Whether each layer has an indexer of its own."""

LayerRotary: TypeAlias = Callable[[Keys], list[bool]]
"""Whether each layer has rotary positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertsOf:
    """How a model type's layers of experts follow from its config.

    Counts are `num_experts` and `num_experts_per_tok` by our names. `width` names the key of an expert's
    intermediate size, `dense_width` that of layers without experts, which `layers` leaves out (None: there
    are none). `shared` gives the joint width of shared experts; `shared_gate`, `router_bias`, `correction`
    and `popularity` are those of an `ExpertLayer`. `bias`: of the routed experts; that of shared ones is
    `Architecture.ffn_bias`.
    """

    width: str = "moe_intermediate_size"
    dense_width: str = "intermediate_size"
    layers: LayersWithExperts | None = None
    shared: Callable[[Keys], int] | None = None
    shared_gate: bool = False
    router_bias: bool = False
    correction: bool = False
    bias: Flag = False
    popularity: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One `model_type`. What is not stated is as in Llama.

    - `classes`: what the names of its model classes begin with (`Llama` of `LlamaForCausalLM`).
    - `defaults`: every key that matters, by our name, with the class's own value for a file without it.
    - `spellings`: by our name, the keys that files use, where they differ; the class's own first.
    - `nullable`: names whose null means what a None of the class means, beside those that default to it.
    - `harmless`: further keys of its files that change neither shapes nor speed.
    - `only`: options of which one value alone is modelled; a file with another is refused.
    """

    model_type: str
    classes: tuple[str, ...]
    defaults: Mapping[str, object]
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()
    only: Mapping[str, object] = field(default_factory=dict)

    gate: bool = True
    qkv_bias: Flag = False
    o_bias: Flag = False
    ffn_bias: Flag = False
    head_bias: Flag = False

    norm: Norm | Callable[[Keys], Norm] = RMS_NORM
    pre_norms: bool = True
    post_norms: bool = False
    final_norm: Flag = True
    embedding_norm: bool = False
    qk_norm: QkNorm | None = None
    has_qk_norm: Flag = True
    experts: ExpertsOf | None = None
    """Its layers of experts, if it has any."""

    latent: bool = False
    """Whether attention is multi-head latent; `qkv_bias` is then that of q_a and kv_a, and of o."""

    indexers: LayersWithIndexer | None = None
    """Which layers choose the tokens that they attend to; the others take those of the layer before. None:
    latent attention is to all tokens."""

    sinks: bool = False
    """Whether each head has a score of its own in the softmax."""

    gated_attention: bool = False
    """Whether attention's result is multiplied by a gate of the input."""

    sinks_in_windows_only: bool = False
    """Whether layers of full attention have none."""

    parallel: Flag = False
    shared_norm: Flag = True
    """Of a parallel block: whether one norm serves attention and FFN."""

    kv_heads: Callable[[Keys], list[int]] | None = None
    """KV heads of each layer, where they do not follow from `num_key_value_heads`."""

    learned_positions: Callable[[Keys], int] | None = None
    """Rows of a learned table of positions; such a model has no rotary positions."""

    rotary: Callable[[Keys], float] | None = None
    """The share of each head that is turned."""

    rotary_layers: LayerRotary | None = None
    windows: LayerWindows | None = None
    chunks: LayerWindows | None = None
    """The length of the chunks that each layer's attention stays inside (None: all tokens)."""

    qk_norm_with_rotary: bool = False
    """Whether layers without rotary positions have no norms of q and k either."""

    scaled_embedding: Flag = False
    scaled_residuals: Flag = False
    head_kernels: Callable[[Keys], int] | None = None
    """Elementwise kernels on the logits in eager code."""

    notes: Callable[[Keys], tuple[str, ...]] | None = None
    """What people must know of the file."""

    check: Callable[[Keys], None] | None = None
    """Refuses what the model's own code would not run either, or what is not modelled."""

    remark: str = ""
    """What the list in the docs says of it."""

    def keys(self, config: Mapping[str, object], file: object, prefix: str = "") -> Keys:
        """A reader of `config`; `prefix` goes before keys in errors."""
        return Keys(
            config,
            file,
            defaults=self.defaults,
            spellings=self.spellings,
            nullable=NULLABLE | self.nullable,
            prefix=prefix,
        )

    def known_keys(self) -> frozenset[str]:
        """Every key that the entry reads or knows to be harmless."""
        spelt = {key for name in self.defaults for key in (name, *self.spellings.get(name, ()))}
        return frozenset(spelt) | self.harmless | frozenset(self.only)


NULLABLE = frozenset({"num_key_value_heads", "sliding_window"})
"""A null means one KV head for each head, or no window, in every class."""


def holds(flag: Flag, keys: Keys) -> bool:
    """Whether a flag of an entry holds for a config."""
    if isinstance(flag, bool):
        return flag
    return keys.flag(flag) if isinstance(flag, str) else flag(keys)
