"""Services in words: what is served, what pruning buys under load and why, and several GPUs as one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from infersim.report.core import rounding
from infersim.report.core.notes import trust_notes
from infersim.report.core.scenarios import gpu_text
from infersim.report.core.screen import Answer
from infersim.report.core.trust import grade_line
from infersim.report.core.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

_QUEUES = 1.0
"""Milliseconds of waiting until others have ended that are worth a word."""

_MAIN = 1.02
"""A cause that gains less than this is not told."""


def serve_verdict(frame: pd.DataFrame) -> Verdict:
    """Of the rows of `serve`: the one that writes most, and what it waits for."""
    fitting = frame[frame["fits_memory"].astype(bool)]
    best = _largest(fitting, "tokens_per_s")
    several = len(frame) > 1
    who = f"{best['plan'] if several else best['model']} on {gpu_text(best)}"
    load = _at_once(best)
    if "rate" in frame and best["rate"] == best["rate"]:
        load = f"{rounding.quantity(best['rate'])} requests a second"
    sentence = (
        f"{who} under {best['engine']} writes {rounding.quantity(best['tokens_per_s'])} tokens/s"
        f"{' at most' if several else ''} with {load}: "
        f"{rounding.quantity(best['ttft_ms'])} ms to the first token, "
        f"{_tpot(best)}; {_most(best)}."
    )
    return Verdict(
        sentences=(sentence, *_waiting(fitting)),
        notes=(*trust_notes(frame), *row_notes(frame)),
        grade=service_grade(frame),
    )


def service_grade(frame: pd.DataFrame) -> str:
    """What the numbers rest on, and how wide the intervals of TPOT are where they are known."""
    widths: list[float] = []
    if "tpot_lower_ms" in frame:
        widths = ((frame["tpot_upper_ms"] / frame["tpot_lower_ms"]) ** 0.5 - 1).tolist()
    return grade_line(frame["calibration"], frame["gpu"], widths)


def load_verdict(frame: pd.DataFrame) -> Verdict:
    """Of the rows of `compare_served`: the best plan, its three speedups and their causes."""
    plans = frame.iloc[1:]
    if plans.empty:
        return serve_verdict(frame)
    dense = frame.iloc[0]
    if not bool(dense["fits_memory"]):
        able = plans[plans["fits_memory"].astype(bool)]
        best = _largest(able, "tokens_per_s")
        sentence = (
            f"The dense model does not fit; {best['plan']} does, and writes "
            f"{rounding.quantity(best['tokens_per_s'])} tokens/s with {_at_once(best)}."
        )
        return Verdict(
            sentences=(sentence,), notes=(*trust_notes(frame), *row_notes(frame)), grade=service_grade(frame)
        )
    key = "target_speedup" if plans["target_speedup"].notna().any() else "most_speedup"
    best = _largest(plans, key)
    said = [f"{rounding.speedup(best['speedup'])} the tokens/s of dense at {_at_once(best)}"]
    said.append(f"{rounding.speedup(best['most_speedup'])} with as many as fit of each")
    if best["target_speedup"] == best["target_speedup"]:
        said.append(f"{rounding.speedup(best['target_speedup'])} within the targets")
    first = f"{best['plan']} writes {', '.join(said)}."
    sentences = (first, *_price(best, dense), *_causes(best, dense, key.removesuffix("_speedup")))
    return Verdict(
        sentences=sentences, notes=(*trust_notes(frame), *row_notes(frame)), grade=service_grade(frame)
    )


def services_answer(answers: Sequence[Answer], frames: Sequence[pd.DataFrame]) -> Answer:
    """The `answers` on the `frames` of `serve` or `compare_served`, one for each GPU, as one.

    In its table each GPU is a section.
    """
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


def _price(best: pd.Series, dense: pd.Series) -> Iterator[str]:
    """What a plan saves of the price of written tokens, at the same load."""
    price, before = float(best["price_per_million"]), float(dense["price_per_million"])
    if price != price or before != before:
        return
    change = rounding.fraction(abs(1 - price / before))
    yield (
        f"A million tokens written by {best['plan']} cost {rounding.quantity(price)} instead of "
        f"{rounding.quantity(before)} at {_at_once(best)}: "
        f"{change} {'less' if price <= before else 'more'}."
    )


def _causes(best: pd.Series, dense: pd.Series, name: str) -> Iterator[str]:
    steps, batch = best[f"{name}_faster"], best[f"{name}_batch"]
    yield (
        f"Why: {rounding.speedup(steps)} from steps (decode {rounding.speedup(best['step_speedup'])}, "
        f"prompts {rounding.speedup(best['prefill_speedup'])}) and {rounding.speedup(batch)} from a batch of "
        f"{best[f'{name}_concurrency']:.0f} instead of {dense[f'{name}_concurrency']:.0f}; "
        f"{rounding.quantity(best['memory_freed_gib'])} GiB freed become KV blocks "
        f"({dense['kv_blocks']:,} to {best['kv_blocks']:,})."
    )


def _largest(frame: pd.DataFrame, key: str) -> pd.Series:
    """The row with the largest number."""
    return frame.iloc[int(frame[key].fillna(0).to_numpy().argmax())]


def _tpot(row: pd.Series) -> str:
    if row["tpot_ms"] != row["tpot_ms"]:
        return "no more than one token each"
    if row["tpot_lower_ms"] != row["tpot_lower_ms"]:
        return f"{rounding.quantity(row['tpot_ms'])} ms for each further one"
    between = rounding.quantity_between(row["tpot_ms"], row["tpot_lower_ms"], row["tpot_upper_ms"])
    return f"{between} ms for each further one"


def _at_once(row: pd.Series) -> str:
    return f"{row['concurrency']} request{'' if row['concurrency'] == 1 else 's'} at once"


def _most(row: pd.Series) -> str:
    """What memory holds to their last token, or what the engine runs where that is less."""
    most = row["max_concurrency"]
    several = f"{most} request{'' if most == 1 else 's'}"
    if most == row["max_sequences"]:
        return f"{row['engine']} runs up to {several}"
    return f"memory holds {several} to the last token"


def _waiting(frame: pd.DataFrame) -> Iterator[str]:
    waiting = frame[frame["queue_ms"] > _QUEUES]
    if not waiting.empty:
        row = _largest(waiting, "queue_ms")
        binds = f"{row['engine']}'s limit" if row["running"] == row["max_sequences"] else "Memory"
        yield (
            f"{binds} binds: of {row['concurrency']} requests {row['running']:.0f} run, the others wait "
            f"{rounding.quantity(row['queue_ms'] / 1e3)} s."
        )


def row_notes(frame: pd.DataFrame) -> Iterator[str]:
    """What rows say, each note once, with the plans that it is of where there are several."""
    several = frame["plan"].nunique() > 1
    for note in dict.fromkeys(part for notes in frame["notes"] for part in notes.split("; ") if part):
        plans = frame.loc[[note in notes.split("; ") for notes in frame["notes"]], "plan"].unique()
        yield f"{', '.join(plans)}: {note}." if several else f"{note[0].upper()}{note[1:]}."
