"""The keys of a config, by our names: spellings, types, limits, and what a class takes for missing ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from infersim.domain.errors import FileContentError

# Several times what any published dense model has: a larger number is a slip, not a model.
MAX_HIDDEN = 2**17
MAX_WIDTH = 2**20
MAX_VOCAB = 2**22
MAX_LAYERS = 2**12
MAX_HEADS = 2**12
MAX_HEAD_DIM = 2**12
MAX_EXPERTS = 2**12
MAX_POSITION = 2**30

_LIMITS = {
    "hidden_size": MAX_HIDDEN,
    "embedding_size": MAX_HIDDEN,
    "intermediate_size": MAX_WIDTH,
    "vocab_size": MAX_VOCAB,
    "num_hidden_layers": MAX_LAYERS,
    "num_attention_heads": MAX_HEADS,
    "num_key_value_heads": MAX_HEADS,
    "head_dim": MAX_HEAD_DIM,
    **dict.fromkeys(("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), MAX_HEAD_DIM),
    "index_n_heads": MAX_HEADS,
    "index_head_dim": MAX_HEAD_DIM,
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank"), MAX_HIDDEN),
    **dict.fromkeys(("num_experts", "num_experts_per_tok", "n_shared_experts"), MAX_EXPERTS),
    **dict.fromkeys(
        ("moe_intermediate_size", "intermediate_size_mlp", "shared_intermediate_size"), MAX_WIDTH
    ),
}


class Keys:
    """Reads a config by our names.

    `defaults` hold every name that can be asked for, with what the model's class takes where the file has
    no such key; `spellings` are other keys that files use for a name. A null is None where the class allows
    it (`nullable`, and every name whose default is None), false for a flag, and an error else.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        file: object,
        *,
        defaults: Mapping[str, object],
        spellings: Mapping[str, tuple[str, ...]],
        nullable: Collection[str],
        prefix: str = "",
    ) -> None:
        self.config, self.file = config, file
        self._defaults, self._spellings, self._nullable = defaults, spellings, nullable
        self._prefix = prefix

    def knows(self, name: str) -> bool:
        """Whether the model's class has such a key at all."""
        return name in self._defaults

    def stated(self, name: str) -> bool:
        """Whether the file has the key, in any spelling."""
        return any(spelling in self.config for spelling in self._spelt(name))

    def value(self, name: str) -> object:
        """What the file says, or what the class takes; FileContentError where two spellings differ."""
        found = [spelling for spelling in self._spelt(name) if spelling in self.config]
        values = [self.config[spelling] for spelling in found]
        if any(value != values[0] for value in values[1:]):
            self.fail(found[1], values[1], f"the same as {found[0]} = {values[0]!r}")
        return values[0] if values else self._defaults[name]

    def whole(self, name: str) -> int:
        """A positive integer; a float that is whole counts as one."""
        value = self.optional_whole(name)
        return self.fail(self.spelling(name), None, "an integer") if value is None else value

    def optional_whole(self, name: str) -> int | None:
        """A positive integer, or None where the class allows none."""
        value = self.value(name)
        if value is None and (name in self._nullable or self._defaults[name] is None):
            return None
        return self.checked_whole(self.spelling(name), value, high=_LIMITS.get(name, MAX_POSITION))

    def count(self, name: str) -> int:
        """How many there are of something: 0 and null are none."""
        return 0 if self.value(name) in (None, 0) else self.optional_whole(name) or 0

    def flag(self, name: str) -> bool:
        """True or false; null is false, as the library's code reads it."""
        value = self.value(name)
        if not isinstance(value, bool | None):
            self.fail(self.spelling(name), value, "true or false")
        return bool(value)

    def text(self, name: str) -> str:
        """A text."""
        value = self.value(name)
        return value if isinstance(value, str) else self.fail(self.spelling(name), value, "a text")

    def number(self, name: str) -> float | None:
        """A finite number, or None."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fail(self.spelling(name), value, "a number")
        return float(value)

    def layer_list(self, name: str) -> Sequence[object] | None:
        """A list with one entry for each layer, or None."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list):
            self.fail(self.spelling(name), value, "a list")
        layers = self.whole("num_hidden_layers")
        if len(value) != layers:
            self.fail(self.spelling(name), value, f"one entry for each of {layers} layers")
        return value

    def nested(self, name: str) -> Mapping[str, object]:
        """An object of keys and values; empty where there is none."""
        value = self.value(name)
        if value is None:
            return {}
        return value if isinstance(value, Mapping) else self.fail(self.spelling(name), value, "an object")

    def checked_whole(self, key: str, value: object, *, high: int) -> int:
        """`value` of `key` as a positive integer of at most `high`."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, list):
            self.fail(key, value, "an integer; sizes by layer are read beside the weight files alone")
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, value, "an integer")
        if value <= 0:
            self.fail(key, value, "more than 0")
        return value if value <= high else self.fail(key, value, f"at most {high}")

    def spelling(self, name: str) -> str:
        """The key that the file uses for a name."""
        return next((key for key in self._spelt(name) if key in self.config), self._spelt(name)[0])

    def fail(self, key: str, value: object, expected: str) -> NoReturn:
        """Raise FileContentError for a key of this config."""
        raise FileContentError(self.file, f"{self._prefix}{key}", value, expected)

    def _spelt(self, name: str) -> tuple[str, ...]:
        return self._spellings.get(name, (name,))
