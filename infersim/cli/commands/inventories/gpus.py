"""`infersim gpus`, `models`, `engines` and `glossary`.

What is known by name, and the numbers of one GPU with their sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infersim.cli.options import CsvOption, FullOption, JsonOption
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.report.core.table import Table


def models_command(full: FullOption = False, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the models that are known by name; --model takes a Hugging Face config.json too."""
    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.report.core.screen import Answer
    from infersim.report.core.verdict import Verdict
    from infersim.report.inventories import models_table
    from infersim.workload.presets import list_models, load_model

    table = models_table([load_model(name) for name in list_models()])
    if not printed_for_machines(table.frame, as_json=as_json, as_csv=as_csv):
        print_answer(Answer(verdict=Verdict(sentences=()), tables=(table,)), full=full)


NameArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="One GPU: all its numbers, each with its source.")
]


ExplainOption = Annotated[
    bool, typer.Option("--explain", help="With NAME: which GPUs' measurements its predictions rely on.")
]


def gpus_command(
    name: NameArgument = None,
    explain: ExplainOption = False,
    full: FullOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List the GPUs that are known, or tell where each number of one comes from."""
    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.profile_files.profiles import list_profiles, load_profile
    from infersim.report.core.screen import Answer
    from infersim.report.core.verdict import Verdict
    from infersim.report.inventories import gpus_table, gpus_verdict

    if explain:
        _explain(name, full=full, as_json=as_json, as_csv=as_csv)
        return
    verdict = Verdict(sentences=())
    if name is None:
        profiles = [load_profile(known) for known in list_profiles()]
        table, verdict = gpus_table(profiles), gpus_verdict(profiles)
    else:
        table = _numbers_table(load_profile(name))
    if not printed_for_machines(table.frame, as_json=as_json, as_csv=as_csv):
        print_answer(Answer(verdict=verdict, tables=(table,)), full=full)


def _explain(name: str | None, *, full: bool, as_json: bool, as_csv: bool) -> None:
    """What the predictions of a GPU stand on; rows for machines are one for each transferred kind."""
    from infersim.cli.printing import print_summary, printed_for_machines
    from infersim.profile_files.pool_files import shipped_pool
    from infersim.profile_files.profiles import load_profile
    from infersim.report.hardware.pool_tables import reliance_table

    if name is None:
        raise InvalidValueError("--explain", "nothing", "the name of a GPU, or its .toml, with it")
    profile, pool = load_profile(name), shipped_pool()
    if pool is not None and printed_for_machines(
        reliance_table(profile, pool).frame, as_json=as_json, as_csv=as_csv
    ):
        return
    print_summary(profile, full=full)


def _numbers_table(profile: HardwareProfile) -> Table:
    """All numbers of a profile, in the units of its file, with their sources."""
    import pandas as pd

    from infersim.profile_files.datasheets import table_of
    from infersim.report.core.table import Column, Table, text_column

    rows = [
        {
            "key": key,
            "value": value,
            "verified": key not in profile.unverified,
            "source": profile.sources.get(key, ""),
            "exception": profile.exceptions.get(key, ""),
        }
        for key, value in _flattened(table_of(profile))
    ]
    return Table(
        title=f"{profile.title} ({profile.name}); calibration: {_calibration(profile)}",
        frame=pd.DataFrame(rows),
        columns=(
            text_column("number", "key"),
            Column(heading="value", keys=("value",), text=lambda value: f"{value:,.10g}"),
            Column(heading="source", keys=("verified", "source", "exception"), text=_evidence, numeric=False),
        ),
        caption=" ".join(filter(None, (_connected(profile), _aliases(profile)))),
    )


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Dotted keys of a profile's file with their numbers."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, value


def _connected(profile: HardwareProfile) -> str:
    """How the GPUs of a node are connected, in words; nothing where nobody says."""
    links = profile.interconnect
    if links is None or links.gpus_per_node == 1:
        return "" if links is None else "Nothing connects it to another GPU of its node."
    generation = f" {links.generation}" if links.generation else ""
    wiring = f", {links.wiring.value}" if links.wiring else ""
    adds = ", which adds up (NVLink SHARP)" if links.nvls else ""
    return f"GPUs of a node are connected by {links.kind.value}{generation}{wiring}{adds}."


def _aliases(profile: HardwareProfile) -> str:
    return f"Also known as {', '.join(profile.aliases)}." if profile.aliases else ""


def _evidence(verified: bool, source: str, exception: str) -> str:
    said = (source if verified else f"unverified: {source or 'in no table that was read'}", exception)
    return "; ".join(filter(None, said))


def _calibration(profile: HardwareProfile) -> str:
    return f"{profile.calibration} from {profile.fit_source}" if profile.fit_source else profile.calibration


EngineArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="One engine: all its numbers and families, each with its source."),
]


def engines_command(
    name: EngineArgument = None,
    full: FullOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List the engines that are known and which families they run, or tell where each number comes from."""
    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.engines.reading import list_engines, load_engine
    from infersim.report.core.screen import Answer
    from infersim.report.serving.engines import (
        engine_tables,
        engines_table,
        engines_verdict,
        families_table,
    )

    if name is None:
        engines = [load_engine(known) for known in list_engines()]
        tables: tuple[Table, ...] = (engines_table(engines), families_table(engines))
    else:
        tables = engine_tables(load_engine(name))
    if not printed_for_machines(tables[0].frame, as_json=as_json, as_csv=as_csv):
        print_answer(Answer(verdict=engines_verdict(name), tables=tables), full=full)


WordArgument = Annotated[
    str | None, typer.Argument(metavar="[WORD]", help="Only words with this in them: bound, launch, TTFT.")
]


def glossary_command(
    word: WordArgument = None,
    full: FullOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Say what the words of tables, figures and pages mean."""
    import pandas as pd

    from infersim.cli.printing import print_answer, printed_for_machines
    from infersim.domain.errors import UnknownNameError
    from infersim.report.core.glossary import WORDS, meanings
    from infersim.report.core.screen import MOST_SENTENCES, Answer
    from infersim.report.core.table import Table, text_column
    from infersim.report.core.verdict import Verdict

    found = meanings(word or "")
    if not found:
        raise UnknownNameError("word", str(word), WORDS)
    frame = pd.DataFrame({"word": list(found), "meaning": list(found.values())})
    if printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        return
    exact = [name for name in found if word is not None and name.lower() == word.lower()]
    whole = exact or (list(found) if len(found) <= MOST_SENTENCES else [])
    said = tuple(f"{name}: {found[name]}" for name in whole)
    frame = frame[~frame["word"].isin(whole)]
    columns = (text_column("word", "word"), text_column("meaning", "meaning"))
    tables = () if frame.empty else (Table(title="", frame=frame, columns=columns),)
    print_answer(Answer(verdict=Verdict(sentences=said, short=said), tables=tables), full=full)
