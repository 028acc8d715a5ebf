"""PruningInferSim's YAML families as plans (github.com/EIT-NLP/LLM-Pruning@8272717, PruningInferSim/wrapper).

A file states a `pruning_type` and an `estimated_sparsity` for each component (`layer`, `attention`,
`self_attn`, `mlp` and their matrices); -1 stands for the command line's sparsity. What becomes of it, by that
code:

    M          layers or sublayers gone                        static-m
    N          of q_proj heads, of up_proj FFN channels        static-nk
    N          of o_proj and down_proj, the hidden size        static-nk-cross, with `residual_mapping`
    semi_structured    two of four weights                     static-k-2:4
    base       of a matrix: two factors                        static-k-lowrank
    m          tokens routed around a sublayer                 dynamic-m, with the router's rank, and that of
                                                               the approximator as its forecaster
    blasst, seer       of `attention`: blocks left out         dynamic-nk

Rounding is that of the family (whole layers and heads, aligned widths and ranks). Which matrices one family
cuts together is `_steps`; everything else is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.files.errors import located
from infersim.pruning.composition import prune
from infersim.pruning.families.dynamic_m import DYNAMIC_M
from infersim.pruning.families.dynamic_nk import DYNAMIC_NK
from infersim.pruning.families.static_k_2_4 import STATIC_K_2_4
from infersim.pruning.families.static_k_lowrank import STATIC_K_LOWRANK
from infersim.pruning.families.static_m import STATIC_M
from infersim.pruning.families.static_nk import STATIC_NK
from infersim.pruning.families.static_nk_cross import STATIC_NK_CROSS
from infersim.pruning.plan import OptionValue, Plan
from infersim.pruning.plan_files.assembling import needed_model
from infersim.pruning.plan_files.pruning_infersim_keys import Component, Components, components
from infersim.workload.transformer import Transformer

LEFT_TO_THE_COMMAND_LINE = -1

ATTENTION_MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj")
FFN_MATRICES = ("up_proj", "gate_proj", "down_proj")
SPARSE_ATTENTION = {"blasst": "scores", "seer": "pooled"}
"""Its kind -> dynamic-nk's option `estimate`."""

TRANSPOSED = "transposed"
"""How that code's 2:4 kernels leave their results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One family over the whole model, by the component that states it."""

    family: str
    stated_by: Component
    options: Mapping[str, OptionValue]


def plan_of_family_file(
    content: Mapping[str, object], file: Path, base: Transformer | None, sparsity: float | None
) -> Plan:
    """The plan of the families that the file states; `sparsity` is the command line's, for those of -1.

    Raises FileContentError for what the file must not hold, UnsupportedError for what no family is.
    """
    model = needed_model(file, base)
    found = components(content, file)
    plan = Plan(base=model, transformer=model)
    for step in _steps(found, file):
        fraction = _sparsity(step.stated_by, sparsity, file)
        if step.family == STATIC_NK.name and fraction == 0:
            continue
        with located(file, step.stated_by.key):
            plan = prune(plan, step.family, fraction, **step.options)
    if not plan.steps:
        raise FileContentError(file, "pruning_type", None, "something to prune, in any component")
    return plan


def _sparsity(component: Component, sparsity: float | None, file: Path) -> float:
    stated = component.sparsity
    if stated != LEFT_TO_THE_COMMAND_LINE:
        return stated
    if sparsity is None:
        expected = "a sparsity beside the file (--sparsity), as -1 leaves it to the command line"
        raise FileContentError(file, f"{component.key}.estimated_sparsity", -1, expected)
    return sparsity


def _steps(found: Components, file: Path) -> Iterator[_Step]:
    """The families in the order in which that code applies them."""
    if found.styles() - {"structured"} and len(found.styles()) > 1:
        listed = ", ".join(sorted(found.styles()))
        raise UnsupportedError(f"{file}: mixes the styles {listed}, and its own program runs one at a time")
    yield from _depth(found)
    yield from _width(found)
    yield from _hidden(found, file)
    yield from _alike(found, "semi_structured", STATIC_K_2_4.name, {"result": TRANSPOSED}, file)
    if not any(found[name].kind == "m" for name in ("layer", "self_attn", "mlp")):
        yield from _alike(found, "base", STATIC_K_LOWRANK.name, {}, file)
    yield from _routed(found, file)
    kind = found["attention"].kind
    if kind in SPARSE_ATTENTION:
        yield _Step(
            family=DYNAMIC_NK.name,
            stated_by=found["attention"],
            options={"estimate": SPARSE_ATTENTION[kind]},
        )


def _depth(found: Components) -> Iterator[_Step]:
    for name, target in (("layer", "layer"), ("self_attn", "attention"), ("mlp", "ffn")):
        if found[name].kind == "M":
            options = {} if target == "layer" else {"target": target}
            yield _Step(family=STATIC_M.name, stated_by=found[name], options=options)


def _width(found: Components) -> Iterator[_Step]:
    heads = found["self_attn.q_proj"] if found["self_attn.q_proj"].kind == "N" else None
    up, gate = (found[f"mlp.{name}"] for name in ("up_proj", "gate_proj"))
    width = next((each for each in (up, gate) if each.kind == "N"), None)
    if heads is not None and width is not None and heads.sparsity == width.sparsity:
        yield _Step(family=STATIC_NK.name, stated_by=heads, options={})
        return
    if heads is not None:
        yield _Step(family=STATIC_NK.name, stated_by=heads, options={"target": "heads"})
    if width is not None:
        yield _Step(family=STATIC_NK.name, stated_by=width, options={"target": "ffn"})


def _hidden(found: Components, file: Path) -> Iterator[_Step]:
    """The hidden size shrinks only if all that writes and reads it does: embedding, blocks and LM head."""
    output, down = found["self_attn.o_proj"], found["mlp.down_proj"]
    if "N" not in (output.kind, down.kind):
        return
    whole = output.kind == down.kind == "N" and found["self_attn.q_proj"].kind == "K"
    if not (whole and found.flags["prune_embedding"] and found.flags["prune_lm_head"]):
        raise UnsupportedError(
            f"{file}: the hidden size is one for the whole model: self_attn.q_proj K, self_attn.o_proj and "
            "mlp.down_proj N, prune_embedding and prune_lm_head true"
        )
    _check_same((output, down, found["self_attn.q_proj"]), file)
    maps = 2 if found.flags["residual_mapping"] else 0
    yield _Step(family=STATIC_NK_CROSS.name, stated_by=output, options={"residual_maps": maps})


def _alike(
    found: Components, kind: str, family: str, options: Mapping[str, OptionValue], file: Path
) -> Iterator[_Step]:
    """A family that treats all matrices of a sublayer alike."""
    sublayers = {}
    for target, parent, names in (
        ("attention", "self_attn", ATTENTION_MATRICES),
        ("ffn", "mlp", FFN_MATRICES),
    ):
        matrices = [found[f"{parent}.{name}"] for name in names]
        if not any(each.kind == kind for each in matrices):
            continue
        for each in matrices:
            if each.kind != kind:
                raise UnsupportedError(f"{file}: {each.key} is not {kind}, and {family} cuts all of {parent}")
        _check_same(matrices, file)
        sublayers[target] = matrices[0]
    if len(sublayers) == 2 and sublayers["attention"].sparsity == sublayers["ffn"].sparsity:
        yield _Step(family=family, stated_by=sublayers["attention"], options=options)
    else:
        for target, matrix in sublayers.items():
            yield _Step(family=family, stated_by=matrix, options={**options, "target": target})


def _routed(found: Components, file: Path) -> Iterator[_Step]:
    """Sublayers with a router each; what is skipped has no k and v only if both matrices say so."""
    if found["layer"].kind == "m":
        raise UnsupportedError(f"{file}: layer.pruning_type m routes layers; dynamic-m routes sublayers")
    keys, values = (found[f"self_attn.{name}"].kind == "m" for name in ("k_proj", "v_proj"))
    routed = {name: found[name] for name in ("self_attn", "mlp") if found[name].kind == "m"}
    if not routed:
        if found.approximator:
            what = "stands in for what a router skips, and no sublayer has one"
            raise UnsupportedError(f"{file}: approximator.approximator_type: the approximator {what}")
        return
    if keys != values:
        raise UnsupportedError(f"{file}: self_attn.k_proj and v_proj are routed together or not at all")
    steps = {name: (each.sparsity, found.router_width(name, file)) for name, each in routed.items()}
    options: dict[str, OptionValue] = {"dense_kv": False} if keys else {}
    if found.approximator:
        options["forecaster"] = found.approximator
    if len(set(steps.values())) == 1 and len(steps) == 2:
        own = {"router_width": steps["mlp"][1], **options}
        yield _Step(family=DYNAMIC_M.name, stated_by=routed["self_attn"], options=own)
        return
    for name, each in routed.items():
        target = {"self_attn": "attention", "mlp": "ffn"}[name]
        own = {"target": target, "router_width": steps[name][1], **options}
        yield _Step(family=DYNAMIC_M.name, stated_by=each, options=own)


def _check_same(matrices: list[Component] | tuple[Component, ...], file: Path) -> None:
    for each in matrices[1:]:
        if each.sparsity != matrices[0].sparsity:
            expected = f"{matrices[0].sparsity:g}, as {matrices[0].key} has"
            raise FileContentError(file, f"{each.key}.estimated_sparsity", each.sparsity, expected)
