"""Waiting for a hot device, but not for ever: some stay hot however long one waits."""

from __future__ import annotations

import time
from dataclasses import dataclass

PAUSE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Cooling:
    """Seconds that a run may still spend on pauses; what is measured without them is marked as throttled."""

    left_s: float = 40.0

    def pause(self) -> bool:
        """Wait, unless the time for it is spent: whether it was waited."""
        if self.left_s < PAUSE_S:
            return False
        self.left_s -= PAUSE_S
        time.sleep(PAUSE_S)
        return True
