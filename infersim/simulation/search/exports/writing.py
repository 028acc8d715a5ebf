"""Writing a latency table: CSV, Parquet, or the format of another program's search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from infersim.domain.arguments import a_path, as_it_is, checked, one_of, optional
from infersim.domain.errors import InvalidValueError
from infersim.files.csv_cells import harmless
from infersim.files.writing import write_bytes
from infersim.profile_files.profiles import kernels_named
from infersim.simulation.search.exports.others import halp_table, spdy_timings
from infersim.simulation.search.exports.puzzletron import puzzletron_stats
from infersim.simulation.search.spaces.space import Texts, checked_texts
from infersim.simulation.search.table import LatencyTable, table_frame, table_of
from infersim.simulation.speedups.resolving import Gpu, Model, a_model, a_profile


def _csv(found: LatencyTable) -> bytes:
    frame = table_frame(found)
    words = frame.select_dtypes(exclude=["number", "bool"]).columns
    frame = frame.assign(**{str(name): frame[name].map(harmless) for name in words})
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _parquet(found: LatencyTable) -> bytes:
    frame = table_frame(found)
    frame.attrs.clear()
    content = BytesIO()
    frame.to_parquet(content, index=False)
    return content.getvalue()


FORMS: Mapping[str, Callable[[LatencyTable], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "puzzletron": puzzletron_stats,
    "spdy": spdy_timings,
    "halp": halp_table,
}
"""Formats by name."""

SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".json": "puzzletron", ".txt": "spdy", ".pkl": "halp"}


def form_of(path: Path, form: str | None) -> str:
    """The format's name, by the file's ending where none is said; InvalidValueError for other endings."""
    if form is not None:
        return form
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in SUFFIXES.items())
        raise InvalidValueError("table file", str(path), f"a file that ends in {known}, or a format by name")
    return found


def write_latencies(path: Path, found: LatencyTable, form: str | None) -> None:
    """Write a table whole or not at all."""
    write_bytes(path, FORMS[form_of(path, form)](found), "table file")


@checked(
    path=a_path,
    model=a_model,
    gpu=a_profile,
    form=optional(one_of("format", FORMS)),
    choices=as_it_is,
    kernels=kernels_named,
    options=as_it_is,
)
def write_latency_table(
    path: str | Path,
    model: Model,
    gpu: Gpu,
    *,
    form: str | None = None,
    choices: Texts | None = None,
    kernels: str | None = None,
    **options: Any,
) -> None:
    """Write what `latency_table` says of the same arguments to a file.

    `form`: `csv`, `parquet`, `puzzletron` (ModelOpt's `subblock_stats.json`; of a request), `spdy` (the text
    of SPDY, whose search ZipLM runs) or `halp` (a pickled dictionary); by the file's ending where it is left
    out. The last three have one scenario in a file, the last two one phase.

    Parameters
    ----------
    path
        A file, which is replaced.
    model, gpu, choices, kernels, **options
        As in `latency_table`.
    form
        `csv`, `parquet`, `puzzletron`, `spdy` or `halp`. Left out: by the file's ending.

    Returns
    -------
    None
        The file appears whole or not at all.

    Raises
    ------
    InvalidValueError
        For a place that cannot be written.
    UnsupportedError
        For tables that a format cannot hold.
    InfersimError
        What `latency_table` raises.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> asked = {"choices": {"ffn": "width=50%"}, "phase": "decode", "context": 1024}
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "table.csv")
    ...     sim.write_latency_table(path, "llama-3.2-1b", "l4", **asked)
    ...     sorted(set(pd.read_csv(path)["sublayer"]))
    ['ffn', 'remainder']
    """
    target = Path(path)
    found = table_of(model, gpu, checked_texts(choices), kernels, options)  # type: ignore[arg-type]
    write_latencies(target, found, form)
