"""Whether what a config names as quantised, sparse or kept is there: names of nothing are no silence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.hf.quantisation.method import Formats
from infersim.workload.hf.quantisation.statement import Module, Patterns, nothing

_ELSEWHERE = re.compile(
    r"vision|visual|image|video|audio|speech|multi_?modal|(^|\W)mm_|projector|merger|connector|modality|patch"
    r"|encoder|lm_head|embed|wte|wpe|output|score|(^|\W)head|norm|ln_|rotary|router|expert|moe|mlp\W*gate\W*$"
    r"|gate\W*$|mamba|conv|linear_attn|mtp|proj_out|^re:\.\*$",
    re.IGNORECASE,
)
"""Names of towers, heads, tables, norms and routers: many files list them for models without any."""

_SHOWN = 3
_NONE_FITS = "names of the model's matrices: these are none"


def without_effect(formats: Formats, modules: Sequence[Module], file: object) -> tuple[str, ...]:
    """A note on names that no matrix of the model has; `modules` are all that it has, the head too.

    Raises FileContentError where the file states formats or 2:4 sparsity and no matrix has what it names.
    """
    stating = any(rule.format is not None for rule in formats.rules)
    stored = any(formats.format_of(module) is not None for module in modules)
    if stating and not stored:
        raise FileContentError(file, "quantization_config", "names", _NONE_FITS)
    if formats.sparse is not nothing and not any(map(formats.sparse, modules)):
        raise FileContentError(file, "sparsity_config", "targets", _NONE_FITS)
    listed = [rule.matches for rule in formats.rules if isinstance(rule.matches, Patterns)]
    unused = [name for each in listed for name in each.without_effect(modules)]
    _check_experts_alike(unused, listed, file)
    idle = [name for name in unused if not _ELSEWHERE.search(name)]
    if not idle:
        return ()
    shown = ", ".join(idle[:_SHOWN])
    more = f" and {len(idle) - _SHOWN} more" if len(idle) > _SHOWN else ""
    return (f"no matrix of the model has the names that quantization_config lists: {shown}{more}",)


_ONE_EXPERT = re.compile(r"(experts\.)(\d+)(\.|$)")


def _check_experts_alike(unused: Sequence[str], listed: Sequence[Patterns], file: object) -> None:
    """Raise UnsupportedError where single experts of a layer are named, and the first is not among them.

    The first expert stands for all of its layer.
    """
    named = frozenset().union(*(each.whole | each.parts for each in listed))
    for name in unused:
        first = _ONE_EXPERT.sub(r"\g<1>0\3", name)
        if first != name and first not in named and not name.startswith("re:"):
            raise UnsupportedError(
                f"{file}: quantization_config names {name} and not {first}: experts of one layer in several "
                "formats are not supported"
            )
