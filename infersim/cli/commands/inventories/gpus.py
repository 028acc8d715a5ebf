"""`infersim gpus` and `infersim models`.

What is known by name, and the numbers of one GPU with their sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infersim.cli.options import CsvOption, JsonOption
from infersim.domain.errors import InvalidValueError

if TYPE_CHECKING:
    from infersim.domain.profile import HardwareProfile
    from infersim.report.core.table import Table


def models_command(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the models that are known by name; --model takes a Hugging Face config.json too."""
    from infersim.cli.printing import print_for_people, printed_for_machines
    from infersim.report.inventories import models_table
    from infersim.workload.presets import list_models, load_model

    table = models_table([load_model(name) for name in list_models()])
    if not printed_for_machines(table.frame, as_json=as_json, as_csv=as_csv):
        print_for_people(None, table)


NameArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="One GPU: all its numbers, each with its source.")
]


ExplainOption = Annotated[
    bool, typer.Option("--explain", help="With NAME: which GPUs' measurements its predictions lean on.")
]


def gpus_command(
    name: NameArgument = None,
    explain: ExplainOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List the GPUs that are known, or tell where each number of one comes from."""
    from infersim.cli.printing import print_for_people, printed_for_machines
    from infersim.profile_files.profiles import list_profiles, load_profile
    from infersim.report.inventories import gpus_table

    if explain:
        _explain(name, as_json=as_json, as_csv=as_csv)
        return
    if name is None:
        table = gpus_table([load_profile(known) for known in list_profiles()])
    else:
        table = _numbers_table(load_profile(name))
    if not printed_for_machines(table.frame, as_json=as_json, as_csv=as_csv):
        print_for_people(None, table)


def _explain(name: str | None, *, as_json: bool, as_csv: bool) -> None:
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
    print_summary(profile)


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
