"""`infersim models`: the models that are known by name."""

from __future__ import annotations

from infersim.cli.options import CsvOption, JsonOption


def models_command(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the models that are known by name; --model takes a Hugging Face config.json too."""
    from infersim.cli.printing import print_for_people, printed_for_machines
    from infersim.report.inventories import models_table
    from infersim.workload.presets import list_models, load_model

    table = models_table([load_model(name) for name in list_models()])
    if not printed_for_machines(table.frame, as_json=as_json, as_csv=as_csv):
        print_for_people(None, table)
