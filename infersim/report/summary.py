"""What a function of infersim returned, in the words and tables of the command line.

A notebook shows a `Summary` as HTML, `print` as text. Which verdict and which tables belong to what is
decided here, for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from infersim.domain.arguments import as_it_is, checked, optional
from infersim.domain.errors import UnsupportedError
from infersim.domain.numbers import a_number
from infersim.domain.profile import HardwareProfile
from infersim.report.advice.tables import break_even_table, padding_table, target_table, widths_table
from infersim.report.advice.verdict import advice_verdict
from infersim.report.core.screen import Answer
from infersim.report.html.elements import notebook_html
from infersim.simulation.frame_kinds import MARK, FrameKind, kind_of
from infersim.simulation.frontier.search import Frontier

if TYPE_CHECKING:
    import pandas as pd

    from infersim.fitting.validation.validation import Validation
    from infersim.simulation.search.searching import SearchResult
    from infersim.simulation.sweeping.result import SweepResult

    Summarised = pd.DataFrame | Frontier | Validation | HardwareProfile | SweepResult | SearchResult


class Summary(Answer):
    """The answer in words, and the tables behind it."""

    def __str__(self) -> str:
        """As the command line prints it."""
        from infersim.report.core.terminal import as_text

        return as_text(self.verdict, self.tables)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return notebook_html(self.verdict, self.tables)


@checked(found=as_it_is, max_loss_percent=optional(a_number))
def summary(found: Summarised, *, max_loss_percent: float | None = None) -> Summary:
    """Say what `found` means: a verdict first, then tables with rounded numbers.

    `found` is a frame of `compare`, `compare_along`, `predict`, `sparsity_for`, `break_even`, `free_widths`,
    `padded_widths`, `serve`, `compare_served` or `latency_table`, or some rows of it with all their columns;
    what `frontier`, `validate`, `search` or `sweep` returned; or a profile, of which it is told what its
    predictions stand on. `max_loss_percent` puts the best choice of a frontier within that loss first.

    Parameters
    ----------
    found
        A frame, a result or a profile, as above.
    max_loss_percent
        Of a frontier.

    Returns
    -------
    Summary
        Its text is what the command line prints.

    Raises
    ------
    UnsupportedError
        For anything else.

    Examples
    --------
    >>> import infersim as sim
    >>> frame = sim.predict("llama-3.1-8b", "h100-sxm", phase="decode", context=4096)
    >>> str(sim.summary(frame)).startswith("A decode step of llama-3.1-8b")
    True
    """
    import pandas as pd

    if isinstance(found, pd.DataFrame):
        return _of_frame(found)
    if isinstance(found, Frontier):
        return _of_frontier(found, max_loss_percent)
    if isinstance(found, HardwareProfile):
        return _of_profile(found)
    from infersim.simulation.search.searching import SearchResult

    if isinstance(found, SearchResult):
        return _of_search(found)
    # Imported last: they load what calibrating and reading tables need.
    from infersim.fitting.validation.validation import Validation

    if isinstance(found, Validation):
        return _of_validation(found)
    from infersim.simulation.sweeping.result import SweepResult

    if isinstance(found, SweepResult):
        return _of_sweep(found)
    raise UnsupportedError(f"no summary of a {type(found).__name__}; {_KNOWN}")


def _as_summary(answer: Answer) -> Summary:
    return Summary(verdict=answer.verdict, tables=answer.tables, lead=answer.lead)


def _of_frame(frame: pd.DataFrame) -> Summary:
    kind = kind_of(frame)
    if kind is None or frame.empty:
        columns = ", ".join(map(str, frame.columns))
        raise UnsupportedError(
            f"no summary of a frame of {len(frame)} rows with columns {columns}; {_KNOWN}. A frame that was "
            f"read from a file or merged has lost its mark: frame.attrs[{MARK!r}] = "
            f"{' or '.join(repr(each.value) for each in FrameKind)} gives it back"
        )
    try:
        return _FRAMES[kind](frame)
    except KeyError as error:
        raise UnsupportedError(f"no summary of a frame without the column {error}; {_KNOWN}") from None


def _of_hardware(frame: pd.DataFrame) -> Summary:
    from infersim.report.hardware.tables import hardware_table, hardware_verdict

    return Summary(verdict=hardware_verdict(frame), tables=(hardware_table(frame),))


def _of_comparison(frame: pd.DataFrame) -> Summary:
    from infersim.report.speedups.answer import comparison_answer

    return _as_summary(comparison_answer(frame))


def _of_prediction(frame: pd.DataFrame) -> Summary:
    from infersim.report.speedups.prediction_verdict import predict_verdict
    from infersim.report.speedups.tables import prediction_table

    return Summary(verdict=predict_verdict(frame), tables=(prediction_table(frame),))


def _of_targets(frame: pd.DataFrame) -> Summary:
    return Summary(verdict=advice_verdict(frame, None, None), tables=(target_table(frame),))


def _of_break_even(frame: pd.DataFrame) -> Summary:
    return Summary(verdict=advice_verdict(None, frame, None), tables=(break_even_table(frame),))


def _of_widths(frame: pd.DataFrame) -> Summary:
    return Summary(verdict=advice_verdict(None, None, frame), tables=(widths_table(frame),))


def _of_padding(frame: pd.DataFrame) -> Summary:
    return Summary(verdict=advice_verdict(None, None, None, frame), tables=(padding_table(frame),))


def _of_served(frame: pd.DataFrame) -> Summary:
    from infersim.report.serving.tables import serve_table
    from infersim.report.serving.verdict import serve_verdict

    return Summary(verdict=serve_verdict(frame), tables=(serve_table(frame),))


def _of_load(frame: pd.DataFrame) -> Summary:
    from infersim.report.serving.tables import load_table
    from infersim.report.serving.verdict import load_verdict

    return Summary(verdict=load_verdict(frame), tables=(load_table(frame),))


def _of_frontier(found: Frontier, max_loss_percent: float | None) -> Summary:
    from infersim.report.frontier.tables import frontier_tables
    from infersim.report.frontier.verdict import frontier_verdict

    return Summary(verdict=frontier_verdict(found, max_loss_percent), tables=frontier_tables(found))


def _of_search(found: SearchResult) -> Summary:
    from infersim.report.search.tables import search_tables
    from infersim.report.search.verdict import search_verdict

    tables = search_tables(found)
    return Summary(verdict=search_verdict(found), tables=tables, lead=tables[1])


def _of_latencies(frame: pd.DataFrame) -> Summary:
    from infersim.report.search.tables import latency_tables, scenarios_table
    from infersim.report.search.verdict import table_verdict

    tables = latency_tables(frame)
    lead = scenarios_table(frame) if len(tables) > 1 else None
    return Summary(verdict=table_verdict(frame), tables=tables, lead=lead)


def _of_validation(found: Validation) -> Summary:
    from infersim.report.accuracy.validation_tables import validation_tables, validation_verdict

    return Summary(verdict=validation_verdict(found), tables=validation_tables(found))


def _of_sweep(found: SweepResult) -> Summary:
    from infersim.report.sweep.verdict import sweep_answer
    from infersim.simulation.sweeping.result import sweep_summary

    return _as_summary(sweep_answer(sweep_summary(found)))


def _of_profile(profile: HardwareProfile) -> Summary:
    """What its predictions lean on."""
    from infersim.profile_files.pool_files import shipped_pool
    from infersim.report.hardware.pool_tables import explanation, facts_table, reliance_table

    pool = shipped_pool()
    tables = () if pool is None else (reliance_table(profile, pool), facts_table(profile, pool))
    return Summary(
        verdict=explanation(profile, pool), tables=tuple(table for table in tables if not table.frame.empty)
    )


_FRAMES: Mapping[FrameKind, Callable[[pd.DataFrame], Summary]] = MappingProxyType(
    {
        FrameKind.COMPARE_ALONG: _of_hardware,
        FrameKind.COMPARE: _of_comparison,
        FrameKind.SPARSITY_FOR: _of_targets,
        FrameKind.BREAK_EVEN: _of_break_even,
        FrameKind.FREE_WIDTHS: _of_widths,
        FrameKind.PADDED_WIDTHS: _of_padding,
        FrameKind.PREDICT: _of_prediction,
        FrameKind.SERVE: _of_served,
        FrameKind.COMPARE_SERVED: _of_load,
        FrameKind.LATENCY_TABLE: _of_latencies,
    }
)

_KNOWN = (
    "expected all columns of a frame of compare, compare_along, predict, sparsity_for, break_even, "
    "free_widths, padded_widths, serve, compare_served or latency_table, or what frontier, validate, search, "
    "sweep or load_profile returned"
)
