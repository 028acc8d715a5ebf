"""Tables of engines: what they cost and keep, what they run of pruned models, and the source of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infersim.pruning.families.engine_support import Answer, EngineSupport
from infersim.pruning.families.registry import families
from infersim.pruning.plan import Plan
from infersim.report.core import rounding
from infersim.report.core.table import Column, Table, number_column, text_column
from infersim.report.core.verdict import Verdict
from infersim.simulation.serving.runnable import support_of

if TYPE_CHECKING:
    from infersim.engines.engine import Engine


def engines_verdict(name: str | None) -> Verdict:
    """What the tables are good for; those of one engine say it themselves."""
    if name is not None:
        return Verdict(sentences=())
    return Verdict(
        sentences=(),
        short=("What engines cost for each step; `infersim engines NAME` shows the families one runs.",),
    )


def engines_table(engines: Sequence[Engine]) -> Table:
    """One row an engine: its numbers by dotted key, and its answer for each family by the family's name."""
    import pandas as pd

    rows = [
        {
            "engine": engine.name,
            "title": engine.title,
            "version": engine.version,
            **engine.numbers(),
            **{family.name: family.support(engine.name).text for family in families()},
        }
        for engine in engines
    ]
    return Table(
        title=f"{len(rows)} engines",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("engine", "engine"),
            text_column("version", "version"),
            text_column("layout", "kernels.layout"),
            number_column("graph up\nto batch", "kernels.graph_batch", rounding.count),
            number_column("host ms\na step", "host.step_ms", rounding.quantity),
            number_column("us a\nsequence", "host.sequence_us", rounding.quantity),
            number_column("tokens\na step", "scheduler.batched_tokens", rounding.quantity),
            Column(heading="memory", keys=("memory.share", "memory.of"), text=_share, numeric=False),
            number_column("KV\nblock", "memory.block_tokens", rounding.count),
        ),
        caption="`infersim engines NAME` shows the source of each number.",
    )


def families_table(engines: Sequence[Engine]) -> Table:
    """What each engine does with models of each family."""
    import pandas as pd

    rows = [
        {"family": family.name, **{each.name: _brief(family.support(each.name).text) for each in engines}}
        for family in families()
    ]
    return Table(
        title="What they run of pruned models",
        frame=pd.DataFrame(rows),
        columns=(text_column("family", "family"), *(text_column(each.name, each.name) for each in engines)),
        caption="Shapes that vary from layer to layer are another matter: "
        + "; ".join(
            f"{each.name} {f'since {each.runs.per_layer}' if each.runs.per_layer else 'needs code'}"
            for each in engines
        )
        + ".",
    )


def runs_table(plans: Sequence[Plan], engine: Engine) -> Table:
    """Whether and since when an engine runs each plan, what it would take, and where that is written."""
    import pandas as pd

    found = [(plan, support_of(plan, engine)) for plan in plans]
    rows = [
        {
            "plan": plan.title,
            "runs": support.answer,
            "since": support.since or _when(support.said),
            "needs": "; ".join(each.needs for each in support.said if each.answer != Answer.YES),
            "source": "; ".join(support.sources),
        }
        for plan, support in found
    ]
    return Table(
        title=f"What {engine.title} {engine.version} runs",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("plan", "plan"),
            text_column("runs", "runs"),
            text_column("since", "since"),
            text_column("needs", "needs"),
            text_column("source", "source"),
        ),
    )


def engine_tables(engine: Engine) -> tuple[Table, ...]:
    """All numbers of one engine, and all families, each with its source."""
    import pandas as pd

    numbers = [
        {"key": key, "value": value, "source": engine.sources[key]} for key, value in engine.numbers().items()
    ]
    said = [
        {"family": family.name, "answer": found.text, "source": found.source}
        for family in families()
        for found in (family.support(engine.name),)
    ]
    return (
        Table(
            title=f"{engine.title} {engine.version} ({engine.name})",
            frame=pd.DataFrame(numbers),
            columns=(
                text_column("number", "key"),
                Column(heading="value", keys=("value",), text=str, numeric=False),
                text_column("source", "source"),
            ),
            caption=f"Also known as {', '.join(engine.aliases)}." if engine.aliases else "",
        ),
        Table(
            title="What it runs of pruned models",
            frame=pd.DataFrame(said),
            columns=(
                text_column("family", "family"),
                text_column("answer", "answer"),
                text_column("source", "source"),
            ),
        ),
    )


def _when(said: Sequence[EngineSupport]) -> str:
    """`0.6.6, until 0.19`: of what an engine ran once."""
    return "; ".join(f"{each.since}, until {each.until}" for each in said if each.until)


def _share(share: float, of: str) -> str:
    return f"{rounding.fraction(share)} of {'what is free' if of == 'free' else 'all'}"


def _brief(text: str) -> str:
    """The answer without what it needs."""
    return text.split(":")[0]
