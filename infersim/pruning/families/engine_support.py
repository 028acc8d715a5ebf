"""What engines do with models of a family: each family states it for the engines that are known to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """YES: a released version runs it. NEEDS: it takes code or a patch. NO: it once did, or refuses it."""

    YES = "yes"
    NEEDS = "needs"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSupport:
    """An engine's name, its answer, the versions it is about, what is needed, and where that is written.

    `since` and `until` are the first version that runs it and the first that does not any more; empty where
    it never did, or still does. `per_layer`: it holds for shapes that vary from layer to layer too;
    `per_layer_needs`: what those take, whatever the engine does with others that vary.
    """

    engine: str
    answer: Answer
    source: str
    since: str = ""
    until: str = ""
    needs: str = ""
    per_layer: bool = False
    per_layer_needs: str = ""

    @property
    def text(self) -> str:
        """A line for people."""
        when = f"since {self.since}" if self.since and not self.until else ""
        when = f"only from {self.since} to before {self.until}" if self.until else when
        said = ", ".join(filter(None, (self.answer.value, when)))
        return f"{said}: {self.needs}" if self.needs else said


def runs(
    engine: str, source: str, *, since: str = "", per_layer: bool = False, per_layer_needs: str = ""
) -> EngineSupport:
    """A released version runs it."""
    return EngineSupport(
        engine=engine,
        answer=Answer.YES,
        source=source,
        since=since,
        per_layer=per_layer,
        per_layer_needs=per_layer_needs,
    )


def needs(engine: str, what: str, source: str) -> EngineSupport:
    """It takes code of one's own."""
    return EngineSupport(engine=engine, answer=Answer.NEEDS, source=source, needs=what)


def dropped(engine: str, source: str, *, since: str, until: str, instead: str) -> EngineSupport:
    """Older versions ran it."""
    return EngineSupport(
        engine=engine, answer=Answer.NO, source=source, since=since, until=until, needs=instead
    )


def custom_code(what: str, source: str, *engines: str) -> tuple[EngineSupport, ...]:
    """The same need in each of `engines`."""
    return tuple(needs(engine, what, source) for engine in engines)
