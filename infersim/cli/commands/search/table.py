"""`infersim table`: the time of every choice of every sublayer, for a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infersim.cli import options
from infersim.cli.commands.search import asking
from infersim.cli.option_groups import PassFlags, RequestFlags, RunFlags, grouped
from infersim.domain.errors import InvalidValueError

OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write the table: .csv, .parquet, or as --format says."),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="csv, parquet, puzzletron (ModelOpt's subblock_stats.json), spdy (ZipLM's search), halp.",
    ),
]


@grouped
def table_command(
    *,
    model: options.NeededModelOption,
    gpu: asking.OneGpuOption,
    attention: asking.AttentionOption = None,
    ffn: asking.FfnOption = None,
    passes: PassFlags,
    own_request: RequestFlags,
    engine: asking.EngineOption = None,
    concurrency: asking.ConcurrencyOption = None,
    price_per_hour: asking.PriceOption = None,
    runs: RunFlags,
    kernels: options.KernelsOption = None,
    overrides: options.SetOption = [],  # noqa: B006 - typer makes a list of its own for each call
    out: OutOption = None,
    form: FormatOption = None,
    full: options.FullOption = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
) -> None:
    """Tabulate time, memory, parameters, FLOPs and floor of each choice of each sublayer of a model.

    One choice for each sublayer of each layer and the remainder sum to the whole model. --json and --csv
    print every layer.
    """
    from infersim.cli.outputs import check_outputs
    from infersim.cli.printing import print_aside, print_left_out, print_summary, printed_for_machines
    from infersim.simulation.search.exports.writing import FORMS, form_of, write_latencies
    from infersim.simulation.search.spaces.space import checked_texts
    from infersim.simulation.search.table import table_frame, table_of
    from infersim.workload.presets import load_model

    check_outputs([out], [gpu, model])
    if form is not None:
        _check_form(form, FORMS)
        if out is None:
            raise InvalidValueError("format", form, "none without --out, the file that is written")
    if out is not None:
        form = form_of(out, form)
    profile = asking.one_gpu(gpu, overrides, kernels)
    asked = asking.setting_options(passes, own_request, runs, engine, concurrency, price_per_hour)
    texts = checked_texts(asking.choices_of(attention, ffn))
    found = table_of(load_model(model), profile, texts, None, asked)
    if out is not None:
        write_latencies(out, found, form)
        print_aside(f"Wrote {out}")
    print_left_out(found.left_out, briefly=not (full or as_json or as_csv))
    frame = table_frame(found)
    if not printed_for_machines(frame, as_json=as_json, as_csv=as_csv):
        print_summary(frame, full=full)


def _check_form(form: str, known: object) -> None:
    from infersim.domain.arguments import one_of

    one_of("format", known)("format", form)  # type: ignore[arg-type]
