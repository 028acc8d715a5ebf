"""`infersim engines`: the engines that are known, what they run of pruned models, each with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infersim.cli.options import CsvOption, JsonOption

if TYPE_CHECKING:
    from infersim.report.core.table import Table

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="One engine: all its numbers and families, each with its source."),
]


def engines_command(
    name: NameArgument = None, as_json: JsonOption = False, as_csv: CsvOption = False
) -> None:
    """List the engines that are known and which families they run, or tell where each number comes from."""
    from infersim.cli.printing import print_for_people, printed_for_machines
    from infersim.engines.reading import list_engines, load_engine
    from infersim.report.serving.engines import engine_tables, engines_table, families_table

    if name is None:
        engines = [load_engine(known) for known in list_engines()]
        tables: tuple[Table, ...] = (engines_table(engines), families_table(engines))
    else:
        tables = engine_tables(load_engine(name))
    if not printed_for_machines(tables[0].frame, as_json=as_json, as_csv=as_csv):
        print_for_people(None, *tables)
