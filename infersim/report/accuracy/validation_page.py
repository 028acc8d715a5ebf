"""The page of a validation: predicted against measured, residuals over the shape, and the roofline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infersim.domain.dtypes import DType, precision_named
from infersim.domain.profile import HardwareProfile
from infersim.fitting.samples.schema import Kind
from infersim.fitting.validation.error_table import ALL, cost_kinds
from infersim.fitting.validation.validation import Validation
from infersim.report.accuracy.validation_points import MAX_POINTS, drawn_dimensions, validation_points
from infersim.report.accuracy.validation_tables import validation_tables, validation_verdict
from infersim.report.core import rounding
from infersim.report.core.glossary import glossary
from infersim.report.figures.predicted_measured import predicted_measured
from infersim.report.figures.residual_by_shape import octave_medians, residual_by_shape
from infersim.report.figures.sample_roofline import sample_roofline
from infersim.report.html.body import Chart, Panel, View
from infersim.report.html.page import Page

if TYPE_CHECKING:
    import pandas as pd


def errors_finding(errors: pd.Series) -> str:
    """Of a row of an `error_table`: how far off predictions are, and how many intervals hold."""
    mean, covered = rounding.fraction(errors["mape"]), rounding.share(errors["coverage"])
    return f"Mean error {mean}; {covered} of {int(errors['rows']):,} rows lie in their 80 % interval."


def residuals_finding(points: pd.DataFrame, dimension: str) -> str:
    """Between which values the median of predicted over measured stays over one dimension."""
    medians = octave_medians(points["predicted_us"] / points["latency_us"], points[dimension])
    return f"The median stays between {medians.min():.2f} and {medians.max():.2f}"


GLOSSARY = glossary("80 % interval", "covered", "bias", "plain roofline", "FLOPs ratio", "floor")


_ROOFLINE_DATA = ["flop", "kernel_bytes", "latency_us", "predicted_us"]


def validation_page(found: Validation, profile: HardwareProfile) -> Page:
    """The page's content; `profile` is the one that was validated."""
    source = f" from {found.fit_source}" if found.fit_source else ""
    return Page(
        title=f"Predictions for {profile.title}, against measurements",
        setting=f"{found.rows:,} samples; calibration: {found.calibration}{source}",
        verdict=validation_verdict(found),
        views=tuple(validation_views(found, profile)),
        tables=validation_tables(found),
        glossary=GLOSSARY,
    )


def validation_views(found: Validation, profile: HardwareProfile) -> Iterator[View]:
    """One view for each kind and data type, but for launches, which have no shape."""
    summed = found.errors[(found.errors["division"] == ALL) & (found.errors["kind"] != Kind.LAUNCH)]
    kinds = cost_kinds(found.predictions)
    for _, row in summed.iterrows():
        chosen = kinds == row["kind"]
        if row["dtype"]:
            chosen &= (found.predictions["dtype"] == row["dtype"]).to_numpy()
        label = f"{row['kind']} {row['dtype']}".strip()
        yield View(label=label, charts=tuple(_charts(found.predictions[chosen], profile, row)))


def _charts(rows: pd.DataFrame, profile: HardwareProfile, errors: pd.Series) -> Iterator[Chart]:
    """`rows`: predictions of one kind and data type; `errors`: their row of an `error_table`."""
    points = validation_points(rows)
    thinned = f" {MAX_POINTS:,} of {errors['rows']:,} rows are drawn." if len(points) < errors["rows"] else ""
    yield Chart(
        name="predicted",
        title="Predicted against measured",
        finding=errors_finding(errors),
        caption=f"Above the line predictions are too slow, below it too fast.{thinned}",
        panels=(Panel(title="Latency", figure=predicted_measured(points), data=points),),
        wide=True,
    )
    yield Chart(
        name="residuals",
        title="Residual by shape",
        caption="Where the median leaves 1, errors are systematic.",
        panels=tuple(
            Panel(
                title=f"Over {name}",
                figure=residual_by_shape(points, name),
                data=points[[name, "latency_us", "predicted_us"]],
                finding=residuals_finding(points, name),
            )
            for name in drawn_dimensions(points)
        ),
    )
    dtype = _matrix_dtype(rows)
    if dtype is not None:
        yield Chart(
            name="roofline",
            title=f"Roofline of {profile.title}",
            caption="Measured kernels under memory bandwidth (slanted) and tensor peak (flat). A point may "
            "stand above the slanted roof where L2 saved traffic. Predictions are shown on demand.",
            panels=(
                Panel(
                    title="Intensity and pace",
                    figure=sample_roofline(points, profile, dtype),
                    data=points[_ROOFLINE_DATA],
                ),
            ),
            wide=True,
        )


def _matrix_dtype(rows: pd.DataFrame) -> DType | None:
    """What the tensor cores multiply; None for kernels that only move bytes."""
    kind, name = rows["kind"].iloc[0], str(rows["dtype"].iloc[0]) if "dtype" in rows.columns else ""
    if kind in (Kind.GEMM, Kind.SPARSE_GEMM, Kind.MOE):
        return precision_named(name).math
    return DType(name) if kind == Kind.ATTENTION else None
