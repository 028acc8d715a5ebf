"""`infersim gpus`, `models`, `engines` and `glossary`.

What is known by name, and the numbers of one GPU with their sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli.options import CsvOption, FullOption, JsonOption
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
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
    from infersim.report.hardware.numbers import numbers_table
    from infersim.report.inventories import gpus_table, gpus_verdict

    if explain:
        _explain(name, full=full, as_json=as_json, as_csv=as_csv)
        return
    verdict = Verdict(sentences=())
    if name is None:
        profiles = [load_profile(known) for known in list_profiles()]
        table, verdict = gpus_table(profiles), gpus_verdict(profiles)
    else:
        table = numbers_table(load_profile(name))
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
