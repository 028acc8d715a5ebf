"""What a user may ask for: whole, positive and plausible batches, contexts and lengths."""

from __future__ import annotations

import numpy as np

from infersim.domain.errors import InvalidValueError
from infersim.workload.scenario import Scenario

MAX_BATCH = 2**20
MAX_CONTEXT = 2**27
"""Beyond any served batch and any published context length: a larger number is a slip."""


def check_scenario(scenario: Scenario) -> None:
    """Raise InvalidValueError for a batch or context that is no array of positive, plausible integers.

    Batch and context must broadcast together, and hold at least one scenario.
    """
    check_whole("batch", scenario.batch, MAX_BATCH)
    check_whole("context", scenario.context, MAX_CONTEXT)
    batch, context = np.shape(scenario.batch), np.shape(scenario.context)
    try:
        np.broadcast_shapes(batch, context)
    except ValueError:
        raise InvalidValueError(
            "context", f"array of shape {context}", f"a shape that broadcasts with batch's, {batch}"
        ) from None


def check_whole(key: str, value: object, high: int) -> None:
    """Raise InvalidValueError, showing the first bad entry, unless all are integers from 1 to `high`.

    A float that is whole (8.0) counts as an integer; true, text and NaN do not.
    """
    expected = f"an integer from 1 to {high}"
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise InvalidValueError(key, value, expected)
    if array.size == 0:
        raise InvalidValueError(key, value, "at least one value")
    if array.dtype.kind in "iu" and array.min() >= 1 and array.max() <= high:
        return
    numbers = array.astype(np.float64).ravel()
    good = (numbers >= 1) & (numbers <= high) & (numbers == np.floor(numbers))
    if not good.all():
        raise InvalidValueError(key, array.ravel()[~good][0].item(), expected)
