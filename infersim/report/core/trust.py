"""How far to trust numbers, in words: what stands behind each GPU's profile, and shapes beyond it.

No frame is needed: a command that times single kernels says this without loading pandas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from infersim.domain.profile import Calibration
from infersim.report.core.verdict import enumeration

_TRUST = {
    Calibration.NONE: "Uncalibrated: no measurement stands behind {}; intervals are wide, from defaults.",
    Calibration.TRANSFERRED: "Transferred calibration: {} is predicted from measurements of other GPUs.",
    Calibration.BORROWED: "Borrowed calibration: {} is predicted with the fit of a sibling GPU.",
}
_WHAT_IF = "What-if hardware: {} is predicted with the fit of the GPU as it is; intervals are wider."


def trust_in(calibrations: Iterable[str], gpus: Iterable[str]) -> Iterator[str]:
    """A sentence for each calibration that is not a fit of the GPU itself; a pair for each row of a table."""
    pairs = dict.fromkeys(zip(calibrations, gpus, strict=True))
    for status, text in _TRUST.items():
        named = [gpu for calibration, gpu in pairs if calibration == status]
        altered = [gpu for gpu in named if status is Calibration.BORROWED and "[" in gpu]
        for some, said in ((altered, _WHAT_IF), ([gpu for gpu in named if gpu not in altered], text)):
            if some:
                yield said.format(enumeration(some))


def kernel_notes(
    calibrations: Iterable[str],
    gpus: Iterable[str],
    in_range: Iterable[bool],
    kernels: Iterable[str | None] = (),
) -> tuple[str, ...]:
    """Notes on single kernels, from columns of their rows; `kernels` says whose they are, where known."""
    rows = list(zip(calibrations, gpus, in_range, strict=True))
    outside = sum(calibration != Calibration.NONE and not inside for calibration, _, inside in rows)
    said = trust_in((row[0] for row in rows), (row[1] for row in rows))
    measured: dict[str, dict[str, None]] = {}
    for name, (_, gpu, _) in zip(kernels, rows, strict=False):
        if name is not None:
            measured.setdefault(name, {})[gpu] = None
    engines = (f"Kernels of {name}: {enumeration(list(found))}." for name, found in measured.items())
    return (*said, *engines, *outside_notes(outside, len(rows)))


def outside_notes(outside: int, rows: int) -> tuple[str, ...]:
    """A note on kernels outside the calibrated range, where there are any."""
    note = f"Outside the calibrated range: {outside} of {rows} kernels; their intervals are wider."
    return (note,) if outside else ()


WIDE = 0.10
"""A prediction whose interval is no wider than this to either side is good, whatever it rests on."""

_GRADES = {
    Calibration.FITTED: "measured on {}",
    Calibration.BORROWED: "from a sibling card for {}",
    Calibration.TRANSFERRED: "from other cards for {}",
    Calibration.NONE: "extrapolated from the datasheet for {}",
}


def grade_line(
    calibrations: Iterable[str],
    gpus: Iterable[str],
    half_widths: Iterable[float] = (),
    unlike: Iterable[bool] = (),
) -> str:
    """What numbers rest on, in one line: measured here, from sibling cards, or extrapolated; and how wide.

    Each argument has an entry for each row. `unlike` says of which rows most kernels are unlike the measured
    ones: those whose interval is wide as well are counted as extrapolated.
    """
    pairs = dict.fromkeys(zip(calibrations, gpus, strict=True))
    parts = []
    for status, text in _GRADES.items():
        named = [gpu for calibration, gpu in pairs if calibration == status]
        if named:
            parts.append(text.format(enumeration(named) if len(named) < 5 else f"{len(named)} GPUs"))
    line = "; ".join(parts)
    given = list(half_widths)
    widths = sorted(width for width in given if width == width)
    if widths:
        line += f"; typically ±{100 * widths[len(widths) // 2]:.0f} %"
        far = sum(outside and width > WIDE for outside, width in zip(unlike, given, strict=False))
        if far:
            line += f"; {far} of {len(widths)} rows extrapolated"
    return f"Calibration: {line}." if line else ""
