"""What a pool of fits is worth, and what the prediction of one GPU leans on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from infersim.domain.profile import Calibration, HardwareProfile
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict, as_sentence, enumeration
from infersim.transfer.borrowing import reliance
from infersim.transfer.gpu_facts import facts_of, sustained_slowdown

if TYPE_CHECKING:
    from infersim.transfer.pool import FormatRelation, GpuFacts, Pool, PooledKind

_MEASURED = {
    Calibration.FITTED: "measured on it",
    Calibration.BORROWED: "measured on a sibling",
}


def _all_kinds(pool: Pool) -> dict[str, PooledKind | FormatRelation]:
    """Pooled kinds, and the formats that are related to one."""
    return {**pool.kinds, **pool.relations}


def pool_verdict(pool: Pool, seconds: float) -> Verdict:
    """Say what was pooled, and how far each GPU was off when it was predicted from the others."""
    means = [
        f"{name} {rounding.fraction(_mean(kind.left_out['mape']))}" for name, kind in _all_kinds(pool).items()
    ]
    sentence = (
        f"the fits of {enumeration(list(pool.gpus))} are pooled in {rounding.quantity(seconds)} s; mean "
        f"difference between a fit and what the others say of its GPU: {enumeration(means)}"
    )
    return Verdict(sentences=(as_sentence(sentence),))


def pool_table(pool: Pool) -> Table:
    """For each kind and GPU, how far the others' word of it is from its fit."""
    import pandas as pd

    rows = [
        {"kind": name, "gpu": gpu, "mape": error, "pair": kind.interval.pair}
        for name, kind in _all_kinds(pool).items()
        for gpu, error in kind.left_out["mape"].items()
    ]
    frame = pd.DataFrame(rows)
    return Table(
        title="Each GPU predicted from the fits of the others",
        frame=frame,
        columns=(text_column("GPU", "gpu"), number_column("mean", "mape", rounding.fraction)),
        labels=tuple(frame["kind"]),
        caption="Differences from the GPU's own fit, on kernels spread over the range that it was fitted on.",
    )


def explanation(profile: HardwareProfile, pool: Pool | None) -> Verdict:
    """What the predictions of a GPU stand on."""
    if profile.fit is None or pool is None:
        return Verdict(sentences=(f"No measurement stands behind {profile.name}: defaults for everything.",))
    own = sorted(name for name, kind in profile.fit.kinds.items() if not kind.transferred)
    other = sorted(name for name, kind in profile.fit.kinds.items() if kind.transferred)
    sentences = []
    if own:
        where = _MEASURED.get(profile.calibration, "measured")
        source = f" ({profile.fit_source})" if profile.fit_source else ""
        sentences.append(as_sentence(f"{profile.name}: {enumeration(own)} {where}{source}"))
    if other:
        shares = [
            f"{gpu} ({rounding.share(share)})" for gpu, share in _mean_reliance(profile, pool, other).items()
        ]
        sentences.append(
            as_sentence(
                f"{profile.name}: {enumeration(other)} transferred from its datasheet and the fits of "
                f"{enumeration(shares)}"
            )
        )
    default, *more = profile.kernel_sets or ("",)
    if more:
        said = f"kernels are those of {default} where nobody chooses others by --kernels: {enumeration(more)}"
        sentences.append(as_sentence(said))
    return Verdict(sentences=tuple(sentences), notes=("Kinds in neither list are predicted from defaults.",))


def reliance_table(profile: HardwareProfile, pool: Pool) -> Table:
    """What each transferred kind leans on, and how wide its intervals are, in regimes and for speedups."""
    import pandas as pd

    kinds = () if profile.fit is None else [k for k in profile.fit.kinds.values() if k.transferred]
    rows = [
        {
            "kind": kind.kind,
            "leans_on": ", ".join(
                f"{gpu} {rounding.share(share)}" for gpu, share in reliance(profile, pool, kind.kind).items()
            ),
            "narrowest": min(kind.interval.by_regime.values()),
            "widest": max(kind.interval.by_regime.values()),
            "pair": kind.interval.pair,
        }
        for kind in kinds
    ]
    return Table(
        title=f"What is transferred to {profile.title}",
        frame=pd.DataFrame(rows, columns=["kind", "leans_on", "narrowest", "widest", "pair"]),
        columns=(
            text_column("kind", "kind"),
            text_column("relies on", "leans_on"),
            number_column("interval\n±", "narrowest", rounding.from_log),
            number_column("up to\n±", "widest", rounding.from_log),
            number_column("speedups\n±", "pair", rounding.from_log),
        ),
        caption="80 % half-widths, from predicting each pooled GPU from the others.",
    )


def facts_table(profile: HardwareProfile, pool: Pool) -> Table:
    """The facts that transferred parameters depend on: of the GPU and of those that it leans on."""
    import pandas as pd

    gpus: Mapping[str, GpuFacts] = {profile.name: facts_of(profile), **pool.gpus}
    rows = [
        {
            "gpu": name,
            "generation": facts.generation,
            "clock": facts.clock_max_mhz,
            "flop": facts.flop_per_clock_per_sm,
            "memory": facts.memory_bytes_per_clock_per_sm,
            "power": facts.power_ratio,
            "sustained": 1.0 / (1.0 + sustained_slowdown(facts)),
        }
        for name, facts in gpus.items()
    ]
    columns: tuple[Column, ...] = (
        text_column("GPU", "gpu"),
        text_column("generation", "generation"),
        number_column("highest\nMHz", "clock", rounding.quantity),
        number_column("FLOP a clock\nand SM", "flop", rounding.quantity),
        number_column("memory bytes\na clock and SM", "memory", rounding.quantity),
        number_column("power need\nover limit", "power", rounding.quantity),
        number_column("clock under\nload", "sustained", rounding.share),
    )
    return Table(
        title="What the datasheets say",
        frame=pd.DataFrame(rows),
        columns=columns,
        caption="FLOP are dense 16-bit. The clock under load is the power law's, of the datasheet's.",
    )


def _mean(errors: Mapping[str, float]) -> float:
    return sum(errors.values()) / len(errors)


def _mean_reliance(profile: HardwareProfile, pool: Pool, kinds: list[str]) -> dict[str, float]:
    """Mean share of each GPU over kinds, the largest first."""
    totals: dict[str, float] = {}
    for kind in kinds:
        for gpu, share in reliance(profile, pool, kind).items():
            totals[gpu] = totals.get(gpu, 0.0) + share / len(kinds)
    return dict(sorted(totals.items(), key=lambda item: -item[1]))
