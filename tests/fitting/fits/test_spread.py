"""Few samples of a long table: drawn from all of it, the same ones every time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infersim.fitting.fits.kind_fit import spread

COLUMNS, ROWS = 10, 1000
GRID = pd.DataFrame({"row": np.repeat(np.arange(ROWS), COLUMNS), "column": np.tile(np.arange(COLUMNS), ROWS)})


def test_every_part_of_a_grid_and_every_column_of_it_is_drawn() -> None:
    few = spread(GRID, 500)
    assert len(few) == 500
    assert few["row"].is_monotonic_increasing
    # One of each 20: no more than 4 rows of the grid lie between two.
    assert few["row"].diff().max() <= 4
    # Every 20th row would always have the same column.
    assert few["column"].value_counts().reindex(range(COLUMNS)).between(25, 80).all()


def test_the_same_samples_are_drawn_again_and_few_are_kept_whole() -> None:
    pd.testing.assert_frame_equal(spread(GRID, 77), spread(GRID, 77))
    assert len(spread(GRID.head(5), 100)) == 5
