"""What is asked about: the options of a public function as a setting, scenarios or a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infersim.domain.profile import HardwareProfile
from infersim.simulation.search.settings.scenarios import InScenarios
from infersim.simulation.search.settings.served import InService
from infersim.simulation.serving.service import Service
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.workload.transformer import Transformer

OF_SERVICES = frozenset({"prompt", "output", "trace", "concurrency", "engine", "price_per_hour", "service"})
"""Options that make it a service."""


def setting_of(
    model: Transformer, profile: HardwareProfile, options: Mapping[str, Any]
) -> InScenarios | InService:
    """The setting that options name; `scenarios` and `service` are ready records, without others beside.

    Raises what `Scenarios.of` and `Service.of` raise, TypeError for options of neither.
    """
    given = dict(options)
    if OF_SERVICES & given.keys():
        ready = given.pop("service", None)
        if ready is not None and given:
            raise TypeError(f"{', '.join(given)}: none beside a service")
        service = ready if isinstance(ready, Service) else Service.of(**given)
        return InService.of(model, profile, service)
    return InScenarios.of(model, profile, Scenarios.of(given.pop("scenarios", None), **given))
