"""What is chosen on the page, as one record: read from controls or an address, and written to both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, urlencode

from infersim.app.models import OWN, packed_text
from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.errors import InvalidValueError, UnknownNameError
from infersim.domain.shapes import Phase
from infersim.engines.reading import list_engines
from infersim.profile_files.profiles import list_profiles
from infersim.pruning.families.family import Family
from infersim.pruning.families.registry import families, family_named
from infersim.workload.presets import list_models

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CONTEXTS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
OUTPUTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
GPUS = (1, 2, 4, 8)
"""The stops of sliders."""

STOPS: Mapping[str, tuple[int, ...]] = {
    "gpus": GPUS,
    "batch": BATCHES,
    "context": CONTEXTS,
    "output": OUTPUTS,
    "concurrency": CONCURRENCIES,
}

PHASES = tuple(phase.value for phase in Phase)

LEAST_PERCENT, MOST_PERCENT = 1, 95
"""Where sliders of sparsity end."""

NONE = ""
"""Stands for no second GPU, and for the format that the model states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All choices of the page; `families` are names with sparsities, in the order of the taxonomy.

    `model` is a preset's name, or `OWN` for the config that `config` holds packed and `config_name` names.
    `losses` is the family whose chain of losses is drawn; empty: the first.
    """

    model: str = "llama-3.1-8b"
    config: str = NONE
    config_name: str = NONE
    gpu: str = "h100-sxm"
    versus: str = NONE
    dtype: str = NONE
    kv_dtype: str = NONE
    engine: str = "vllm"
    gpus: int = 1
    phase: str = Phase.PREFILL.value
    batch: int = 1
    context: int = 4096
    output: int = 256
    concurrency: int = 64
    families: tuple[tuple[str, float], ...] = (("static-m", 0.5), ("static-k-2:4", 0.5), ("static-nk", 0.5))
    losses: str = NONE

    def __post_init__(self) -> None:
        """Check every choice: an address may hold anything."""
        if self.model == OWN:
            packed_text(self.config)
        else:
            _known("model", self.model, list_models())
        _known("gpu", self.gpu, list_profiles())
        _known("gpu", self.versus, (NONE, *list_profiles()))
        _known("dtype", self.dtype, (NONE, *PRECISIONS))
        _known("kv_dtype", self.kv_dtype, (NONE, *(dtype.value for dtype in DType)))
        _known("engine", self.engine, list_engines())
        _known("phase", self.phase, PHASES)
        for name, stops in STOPS.items():
            if getattr(self, name) not in stops:
                raise InvalidValueError(name, getattr(self, name), f"one of {', '.join(map(str, stops))}")
        if self.losses:
            family_named(self.losses)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The GPUs side by side, each once."""
        return tuple(dict.fromkeys(filter(None, (self.gpu, self.versus))))

    @property
    def family_of_losses(self) -> str:
        """The family whose losses are drawn: the one chosen if it is among those compared, else the first."""
        names = [name for name, _ in self.families]
        return self.losses if self.losses in names else next(iter(names), NONE)

    def query(self) -> str:
        """All choices as the query of an address."""
        words = {field.name: getattr(self, field.name) for field in fields(self)}
        words["families"] = family_text(self.families)
        if self.model != OWN:
            del words["config"], words["config_name"]
        return urlencode(words, safe="@,:")

    @classmethod
    def from_query(cls, query: str) -> Choices:
        """The choices of an address; what it leaves out is as at the first visit.

        Raises UnknownNameError for a name and InvalidValueError for a value that is not known.
        """
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {}
        for name, value in parse_qsl(query.lstrip("?"), keep_blank_values=True):
            if name not in known:
                raise UnknownNameError("choice", name, known)
            given[name] = _read(name, value)
        return cls(**given)

    @classmethod
    def from_controls(cls, values: Mapping[str, Any]) -> Choices:
        """The choices that the values of controls state, by the ids that `controls` gives them."""
        given: dict[str, Any] = {name: values.get(name) or NONE for name in WORDS}
        for name, stops in STOPS.items():
            given[name] = _stop(name, stops, values.get(name))
        chosen = [family for family in families() if values.get(switch_id(family))]
        given["families"] = tuple(
            (family.name, _sparsity(family, values.get(slider_id(family)))) for family in chosen
        )
        return cls(**given)

    def controls(self) -> dict[str, Any]:
        """The value of each control by its id; sliders without stops count in percent."""
        sparsities = dict(self.families)
        values: dict[str, Any] = {name: getattr(self, name) for name in WORDS}
        values |= {name: stops.index(getattr(self, name)) for name, stops in STOPS.items()}
        for family in families():
            values[switch_id(family)] = [family.name] if family.name in sparsities else []
            values[slider_id(family)] = round(100 * sparsities.get(family.name, 0.5))
        return values


WORDS = (
    *("model", "config", "config_name", "gpu", "versus", "dtype", "kv_dtype", "engine", "phase"),
    "losses",
)
"""Choices that are a text."""


def switch_id(family: Family) -> str:
    """The id of the box that adds a family."""
    return f"with-{_plain(family.name)}"


def slider_id(family: Family) -> str:
    """The id of the slider of a family's sparsity."""
    return f"sparsity-{_plain(family.name)}"


def family_text(chosen: Sequence[tuple[str, float]]) -> str:
    """`static-nk@0.5,static-m@0.25`: as an address and a command line have it."""
    return ",".join(f"{name}@{sparsity:g}" for name, sparsity in chosen)


def _plain(name: str) -> str:
    """A name without what has a meaning in selectors."""
    return name.replace(":", "-")


def _sparsity(family: Family, percent: Any) -> float:
    if family.fixed_sparsity is not None:
        return family.fixed_sparsity
    return _fraction(family.name, percent, scale=100)


def _fraction(name: str, value: Any, scale: int = 1) -> float:
    """A sparsity that a slider can be set to: a whole number of percent."""
    try:
        percent = round(float(value) * 100 / scale)
    except (TypeError, ValueError, OverflowError):
        percent = -1
    if not LEAST_PERCENT <= percent <= MOST_PERCENT:
        expected = f"a sparsity from {LEAST_PERCENT / 100} to {MOST_PERCENT / 100}"
        raise InvalidValueError(f"families: {name}", value, expected)
    return percent / 100


def _read(name: str, value: str) -> Any:
    if name in STOPS:
        return int(value) if value.isdecimal() and len(value) < 10 else value
    if name != "families":
        return value
    found: dict[str, float] = {}
    for entry in filter(None, value.split(",")):
        family, _, sparsity = entry.partition("@")
        known = family_named(family)
        fixed = known.fixed_sparsity
        found[known.name] = _fraction(family, sparsity) if fixed is None else fixed
    return tuple((family.name, found[family.name]) for family in families() if family.name in found)


def _stop(name: str, stops: Sequence[int], place: Any) -> int:
    """The value at a slider's place."""
    try:
        return stops[max(0, int(place))]
    except (TypeError, ValueError, IndexError):
        raise InvalidValueError(name, place, f"a place from 0 to {len(stops) - 1}") from None


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError(kind, name, filter(None, known))
