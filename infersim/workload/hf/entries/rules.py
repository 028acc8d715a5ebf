"""Rules that entries share: what several keys of a config say together."""

from __future__ import annotations

from collections.abc import Callable

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.building import head_dim_of
from infersim.workload.hf.config_keys import MAX_HEAD_DIM, Keys


def partly_rotary(share: float, *other_keys: str) -> Callable[[Keys], float]:
    """The share of each head by `partial_rotary_factor`, also inside `rope_parameters`, or `other_keys`."""

    def rotary(keys: Keys) -> float:
        inside = keys.config.get("rope_parameters")
        places = [keys.config.get(key) for key in ("partial_rotary_factor", *other_keys)]
        if isinstance(inside, dict):
            places.append(inside.get("partial_rotary_factor"))
        stated = next((place for place in places if place is not None), share)
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 <= stated <= 1:
            keys.fail("partial_rotary_factor", stated, "a number from 0 to 1")
        return float(stated)

    return rotary


def partly_rotary_by_kind(share: float) -> Callable[[Keys], float]:
    """As `partly_rotary`, where `rope_parameters` has an object for each kind of layer: one share for all."""

    def rotary(keys: Keys) -> float:
        inside = keys.config.get("rope_parameters")
        kinds = (
            [each for each in inside.values() if isinstance(each, dict)] if isinstance(inside, dict) else []
        )
        stated = {each.get("partial_rotary_factor", share) for each in kinds}
        if len(stated) > 1:
            keys.fail("rope_parameters", inside, "one partial_rotary_factor for all kinds of layers")
        return partly_rotary(stated.pop() if stated else share)(keys)

    return rotary


def rotary_by_dim(keys: Keys) -> float:
    """GPT-J: `rotary_dim` dimensions of each head are turned."""
    turned, size = keys.optional_whole("rotary_dim"), head_dim_of(keys)
    return 1.0 if turned is None else min(turned, size) / size


def rotary_dim_or_share(keys: Keys) -> float:
    """MiniMax: `rotary_dim` dimensions of each head, or the share that the file states."""
    turned = keys.config.get("rotary_dim")
    if turned is None:
        return partly_rotary(1.0)(keys)
    return min(keys.checked_whole("rotary_dim", turned, high=MAX_HEAD_DIM) / head_dim_of(keys), 1.0)


def head_dim_by_division(keys: Keys) -> None:
    """Refuse a head size other than hidden / heads: the model's code divides, whatever the file says."""
    stated, by_heads = (
        keys.config.get("head_dim"),
        keys.whole("hidden_size") // keys.whole("num_attention_heads"),
    )
    if stated not in (None, by_heads):
        keys.fail(
            "head_dim", stated, f"{by_heads}, hidden_size / num_attention_heads, as the model's code has it"
        )


def without_further_tokens(keys: Keys) -> tuple[str, ...]:
    """A note on layers behind the last one that draft further tokens, which no usual step runs."""
    for key in ("num_nextn_predict_layers", "num_mtp_modules", "num_mtp_layers"):
        if keys.config.get(key):
            return (f"layers that predict further tokens are left out: {key} {keys.config[key]}",)
    return ()


def other_than_one(key: str) -> Callable[[Keys], bool]:
    """Whether a multiplier is there and changes anything."""

    def changes(keys: Keys) -> bool:
        return keys.number(key) not in (None, 1.0)

    return changes


def logit_kernels(key: str, kernels: int) -> Callable[[Keys], int]:
    """So many elementwise kernels on the logits, where the number `key` is there and not 1."""

    def count(keys: Keys) -> int:
        return kernels if keys.number(key) not in (None, 1.0) else 0

    return count


def only(key: str, value: object, *, reason: str) -> Callable[[Keys], None]:
    """Refuse a config whose `key` is not `value`."""

    def check(keys: Keys) -> None:
        if keys.value(key) != value:
            raise UnsupportedError(
                f"{keys.file}: {keys.spelling(key)} = {keys.value(key)!r}: {reason}; supported: {value!r}"
            )

    return check
