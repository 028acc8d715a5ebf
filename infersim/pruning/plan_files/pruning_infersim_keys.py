"""The keys of a PruningInferSim YAML file, checked: components, routers, the approximator, switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infersim.domain.errors import FileContentError, UnsupportedError

COMPONENTS = {
    "layer": (),
    "attention": (),
    "self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "mlp": ("up_proj", "gate_proj", "down_proj"),
}
"""Components and their matrices."""

SWITCHES = ("prune_embedding", "prune_lm_head", "residual_mapping")

KEYS = frozenset((*COMPONENTS, *SWITCHES, "cache_type", "patch_type", "approximator"))
"""What may stand at the top of a file."""

_OF_A_COMPONENT = frozenset(
    {"estimated_sparsity", "pruning_type", "backend", "offset", "block_size", "threshold", "enable_autotune"}
    | {"prefill_impl", "decode_impl", "retained_ratio", "router"}
)

_KINDS = {
    "layer": ("M", "m"),
    "attention": ("blasst", "seer"),
    "self_attn": ("M", "m"),
    "mlp": ("M", "m"),
}
_MATRIX_KINDS = ("N", "K", "m", "base", "semi_structured")
_STYLES = {
    **dict.fromkeys("MNK", "structured"),
    "semi_structured": "unstructured",
    "base": "lowrank",
    "m": "dynamic",
    "blasst": "sparse_attention",
    "seer": "sparse_attention",
}
_ROUTERS = ("bottleneck", "linear")
_OF_THE_APPROXIMATOR = ("approximator_type", "approximator_rank_size")
_DEFAULT_RANK = 16
_MAX_RANK = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component: what is done to it (None: nothing) and how much; -1 is the command line's sparsity."""

    key: str
    kind: str | None
    sparsity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """All components by their dotted name, and what stands beside them."""

    by_name: Mapping[str, Component]
    flags: Mapping[str, bool]
    routers: Mapping[str, Mapping[str, object]]
    approximator: int
    """The rank of what stands in for skipped sublayers; 0 where nothing does."""

    def __getitem__(self, name: str) -> Component:
        return self.by_name[name]

    def styles(self) -> set[str]:
        """The program's own names of what the file asks for; matrices below a routed sublayer follow it."""
        routed = {name for name in ("self_attn", "mlp") if self.by_name[name].kind == "m"}
        return {
            _STYLES[each.kind]
            for name, each in self.by_name.items()
            if each.kind is not None and name.split(".")[0] not in routed - {name}
        }

    def router_width(self, name: str, file: Path) -> int:
        """The bottleneck of a sublayer's router, 0 for a single linear layer."""
        router, key = self.routers.get(name, {}), f"{name}.router"
        kind = router.get("router_type")
        if kind not in _ROUTERS:
            raise FileContentError(file, f"{key}.router_type", kind, f"one of {', '.join(_ROUTERS)}")
        if kind == "linear":
            return 0
        return _rank(router, "router_rank_size", key, file)


def components(content: Mapping[str, object], file: Path) -> Components:
    """Check every key of the file; FileContentError and UnsupportedError name the first that is wrong."""
    for key in content:
        if key not in KEYS:
            raise FileContentError(file, str(key), content[key], f"one of the keys {', '.join(sorted(KEYS))}")
    found: dict[str, Component] = {}
    routers: dict[str, Mapping[str, object]] = {}
    for name, matrices in COMPONENTS.items():
        table = _table(content, name, "", file)
        found[name] = _component(table, name, _KINDS[name], (*matrices,), file)
        routers[name] = _table(table, "router", f"{name}.", file)
        for matrix in matrices:
            key = f"{name}.{matrix}"
            found[key] = _component(_table(table, matrix, f"{name}.", file), key, _MATRIX_KINDS, (), file)
    return Components(
        by_name=found,
        flags={name: _flag(content, name, file) for name in SWITCHES},
        routers=routers,
        approximator=_approximator_rank(_table(content, "approximator", "", file), file),
    )


def _approximator_rank(table: Mapping[str, object], file: Path) -> int:
    for name, value in table.items():
        if name not in _OF_THE_APPROXIMATOR:
            expected = f"one of the keys {', '.join(_OF_THE_APPROXIMATOR)}"
            raise FileContentError(file, f"approximator.{name}", value, expected)
    kind = _word(table.get("approximator_type"))
    if kind is None:
        return 0
    if kind != "bottleneck":
        raise FileContentError(file, "approximator.approximator_type", kind, "bottleneck or none")
    return _rank(table, "approximator_rank_size", "approximator", file)


def _rank(table: Mapping[str, object], name: str, key: str, file: Path) -> int:
    rank = table.get(name, _DEFAULT_RANK)
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 < rank <= _MAX_RANK:
        raise FileContentError(file, f"{key}.{name}", rank, f"an integer from 1 to {_MAX_RANK}")
    return rank


def _component(
    table: Mapping[str, object], key: str, kinds: tuple[str, ...], matrices: tuple[str, ...], file: Path
) -> Component:
    for name, value in table.items():
        if name not in _OF_A_COMPONENT and name not in matrices:
            expected = f"one of the keys {', '.join(sorted((*_OF_A_COMPONENT, *matrices)))}"
            raise FileContentError(file, f"{key}.{name}", value, expected)
    kind = _word(table.get("pruning_type"))
    if kind == "base" and key in COMPONENTS:
        kind = None  # the dense kernels; only of a matrix it means two factors
    if kind is not None and kind not in kinds:
        known = f"one of {', '.join(kinds)}, none"
        if kind == "unstructured":
            known += " (single weights that are zero leave every kernel dense)"
        raise FileContentError(file, f"{key}.pruning_type", kind, known)
    if kind is not None:
        _refuse_variants(table, key, file)
    return Component(key=key, kind=kind, sparsity=_fraction(table, key, file) if kind else 0.0)


def _refuse_variants(table: Mapping[str, object], key: str, file: Path) -> None:
    """Settings that change what is computed, and that no family has."""
    for name, harmless, why in (
        ("offset", 0, "layers of random sparsities are no plan"),
        ("retained_ratio", 0, "a part that stays dense beside two factors is no family"),
        ("block_size", 4, "hardware knows two of four alone"),
    ):
        if table.get(name, harmless) not in (harmless, None):
            raise UnsupportedError(f"{file}: {key}.{name} = {table[name]!r}: {why}")


def _fraction(table: Mapping[str, object], key: str, file: Path) -> float:
    value = table.get("estimated_sparsity", 0)
    if isinstance(value, int | float) and not isinstance(value, bool) and (value == -1 or 0 <= value < 1):
        return float(value)
    expected = "a fraction from 0 up to, but not including, 1, or -1 for the command line's"
    raise FileContentError(file, f"{key}.estimated_sparsity", value, expected)


def _table(content: Mapping[str, object], name: str, prefix: str, file: Path) -> Mapping[str, object]:
    value = content.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise FileContentError(file, f"{prefix}{name}", value, "a table")
    return value


def _flag(content: Mapping[str, object], name: str, file: Path) -> bool:
    value = content.get(name)
    if value is not None and not isinstance(value, bool):
        raise FileContentError(file, name, value, "true or false")
    return bool(value)


def _word(value: object) -> str | None:
    return None if value is None or value in ("none", "null", "") else str(value)
