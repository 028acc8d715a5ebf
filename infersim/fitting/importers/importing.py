"""Published measurements as samples: every importer by name, and the one function that runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from infersim.domain.arguments import a_path, checked, flag, optional, text
from infersim.domain.errors import InfersimError, UnknownNameError
from infersim.fitting.importers.aiconfigurator import AICONFIGURATOR
from infersim.fitting.importers.alibaba_infersim import ALIBABA_INFERSIM
from infersim.fitting.importers.cutlass import CUTLASS
from infersim.fitting.importers.llm_serving_sim import LLM_SERVING_SIM
from infersim.fitting.importers.neusight import NEUSIGHT
from infersim.fitting.importers.nvbench import NVBENCH
from infersim.fitting.importers.slidesparse import SLIDESPARSE
from infersim.fitting.importers.sound_cells import with_sound_cells
from infersim.fitting.importers.source import Importer, SourceFile, canonical_gpus
from infersim.fitting.importers.torch_benchmark import TORCH_BENCHMARK
from infersim.fitting.importers.torch_trace import TORCH_TRACE
from infersim.fitting.importers.vidur import VIDUR
from infersim.fitting.samples.account import BadRow, BadSamplesError, SampleRead
from infersim.fitting.samples.converted import Converted
from infersim.fitting.samples.files import Table
from infersim.fitting.samples.reading import check_samples
from infersim.fitting.samples.schema import in_order

_IMPORTERS = (
    *(AICONFIGURATOR, VIDUR, NEUSIGHT, SLIDESPARSE, ALIBABA_INFERSIM),
    *(LLM_SERVING_SIM, CUTLASS, NVBENCH, TORCH_BENCHMARK, TORCH_TRACE),
)


def importers() -> Mapping[str, Importer]:
    """The sources that can be imported, by name."""
    return {importer.name: importer for importer in _IMPORTERS}


@checked(source=text, path=a_path, gpu=optional(text), skip_bad=flag)
def import_source(
    source: str, path: Path | str, *, gpu: str | None = None, skip_bad: bool = False
) -> SampleRead:
    """Read the published tables of `source` from a file or a folder of the user's own download.

    Latencies become microseconds, data types and GPU names canonical; `gpu` names the GPU where the source
    does not, or not clearly. What the samples format cannot hold is left out and counted by reason; bad rows
    are a BadSamplesError, or set aside with `skip_bad`. Errors say what the source's files look like.

    Parameters
    ----------
    source
        A name (`infersim import --help`), such as `vidur`.
    path
        A file or a folder of the download.
    gpu
        The GPU that was measured, where the source does not say.
    skip_bad
        Set bad rows aside.

    Returns
    -------
    SampleRead
        The samples, and an account of the other rows.

    Raises
    ------
    UnknownNameError
        For a source that is not known.
    BadSamplesError
        For bad rows, unless they are set aside.
    FileContentError
        For files that are not the source's.
    InfersimError
        Where nothing says which GPU it was, and where no sample can be used.

    Examples
    --------
    >>> import infersim as sim
    >>> import pandas as pd
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> row = {"OPName": "linear", "Latency": 0.02, "Device": "NVIDIA L4", "B": 1, "M": 16, "N": 64, "K": 128}
    >>> with TemporaryDirectory() as folder:
    ...     pd.DataFrame([row]).to_csv(Path(folder, "linear.csv"), index=False)
    ...     frame = sim.import_source("neusight", folder).frame
    >>> frame[["m", "n", "k"]].to_numpy().tolist(), frame["latency_us"].tolist()
    ([[16, 128, 64]], [20.0])
    """
    known = importers()
    if source not in known:
        raise UnknownNameError("source", source, known)
    importer = known[source]
    files = [importer.source_file(file) for file in importer.files(Path(path))]
    sound = [with_sound_cells(file, importer.numbers, importer.truths) for file in files]
    converted = [importer.convert(file) for file, _ in sound]
    names = canonical_gpus({name for one in converted for name in _gpus(one)}, gpu, path)
    reads = [
        _check(file, bad, one, names, source=source, skip_bad=skip_bad)
        for (file, bad), one in zip(sound, converted, strict=True)
    ]
    frames = [read.frame for read in reads if len(read.frame)]
    if not frames:
        raise InfersimError(f"{path}: holds no sample that can be used ({_reasons(reads)})")
    frame = pd.concat(frames, ignore_index=True)
    return SampleRead(
        frame=frame[in_order(frame.columns)],
        rows_read=sum(read.rows_read for read in reads),
        set_aside=tuple(row for read in reads for row in read.set_aside),
        left_out=_left_out(reads),
    )


def _gpus(converted: Converted) -> pd.Series[str]:
    """The source's names of GPUs, "" where it says none."""
    if not len(converted.samples):
        return pd.Series(dtype=str)
    said = converted.samples["gpu"].astype(object)  # a column of numbers or of nothing is no text yet
    return said.where(said.notna(), "").map(str)


def _check(
    file: SourceFile,
    unsound: tuple[BadRow, ...],
    converted: Converted,
    names: Mapping[str, str],
    *,
    source: str,
    skip_bad: bool,
) -> SampleRead:
    """The samples of one file; `unsound` rows were bad before they could be converted."""
    samples = converted.samples
    lines = samples.index.to_numpy(dtype=np.int64) + file.first_line
    if len(samples):
        samples = samples.assign(gpu=_gpus(converted).map(names), source=source)
    table = Table(name=str(file.path), frame=samples.reset_index(drop=True), lines=lines)
    read = check_samples(table, skip_bad=True)
    bad = tuple(sorted((*unsound, *read.set_aside), key=lambda row: row.line))
    rows = read.rows_read + len(unsound)
    if bad and not skip_bad:
        raise BadSamplesError(bad, rows)
    return replace(
        read,
        rows_read=rows + sum(converted.left_out.values()),
        set_aside=bad,
        left_out=dict(converted.left_out) | dict(read.left_out),
    )


def _left_out(reads: list[SampleRead]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for read in reads:
        total.update(read.left_out)
    return dict(total)


def _reasons(reads: list[SampleRead]) -> str:
    return ", ".join(f"{count} rows: {reason}" for reason, count in _left_out(reads).items()) or "no rows"
