"""The answer on services: of one GPU, or of several in one table, each GPU a section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from infersim.report.core.screen import Answer
from infersim.report.core.verdict import Verdict
from infersim.report.serving.verdict import service_grade

if TYPE_CHECKING:
    import pandas as pd


def services_answer(answers: Sequence[Answer], frames: Sequence[pd.DataFrame]) -> Answer:
    """The `answers` on the `frames` of `serve` or `compare_served`, one for each GPU, as one."""
    if len(answers) == 1:
        return answers[0]
    import pandas as pd

    gpus = [str(frame["gpu"].iloc[0]) for frame in frames]
    shorts = [f"{gpu}: {answer.verdict.sentences[0]}" for gpu, answer in zip(gpus, answers, strict=True)]
    verdict = Verdict(
        sentences=tuple(said for answer in answers for said in answer.verdict.sentences),
        notes=tuple(dict.fromkeys(note for answer in answers for note in answer.verdict.notes)),
        short=tuple(shorts),
        grade=service_grade(pd.concat(frames, ignore_index=True)),
    )
    tables = tuple(table for answer in answers for table in answer.tables)
    together = pd.concat([answer.tables[0].frame for answer in answers], ignore_index=True)
    labels = tuple(gpu for gpu, frame in zip(gpus, frames, strict=True) for _ in range(len(frame)))
    title = answers[0].tables[0].title.replace(f" on {gpus[0]}", "")
    lead = replace(answers[0].tables[0], title=title, frame=together, labels=labels)
    return Answer(verdict=verdict, tables=tables, lead=lead)
