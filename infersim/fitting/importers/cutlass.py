"""The CUTLASS profiler's reports as a source; `samples/cutlass_report.py` tells the format."""

from __future__ import annotations

from infersim.fitting.importers.source import Importer, SourceFile
from infersim.fitting.samples.converted import Converted
from infersim.fitting.samples.cutlass_report import COLUMNS, is_report, samples_of_report


def _convert(file: SourceFile) -> Converted:
    if not is_report(file.frame.columns):
        raise file.refuse(f"those of the CUTLASS profiler: {', '.join(COLUMNS)}")
    return samples_of_report(file.frame)


CUTLASS = Importer(
    name="cutlass",
    title="the CUTLASS profiler's reports",
    patterns=(("*.gemm.csv", "*.spgemm.csv"), ("*.csv",)),
    convert=_convert,
)
