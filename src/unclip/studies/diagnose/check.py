"""What a check of a run is: a figure beside what is expected of it, a verdict, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "suspicious", "broken", "unknown"]


@dataclass(frozen=True)
class Check:
    """One thing that one stage should do by itself.

    Args:
        stage: whose fault it would be: "data", or a stage of the run.
        name: what is looked at.
        verdict: "unknown" where it cannot be looked at; `meaning` says why.
        figure: what was found, in words and numbers.
        expected: what a sound run has.
        cause: the fault in a few words, where the verdict is not good.
        meaning: a sentence that says what follows from it.
        command: what to type next.
    """

    stage: str
    name: str
    verdict: Verdict
    figure: str = ""
    expected: str = ""
    cause: str = ""
    meaning: str = ""
    command: str = ""


@dataclass(frozen=True)
class Fault:
    """What a figure out of its range means. cause: in a few words; meaning: a sentence; command: what to type next."""

    cause: str
    meaning: str
    command: str = ""


def compared(stage: str, name: str, found: tuple[str, str], verdict: Verdict, fault: Fault) -> Check:
    """A check with its verdict; `fault` is told only where that is not good. found: (figure, expected)."""
    told = ("", "", "") if verdict == "good" else (fault.cause, fault.meaning, fault.command)
    return Check(stage, name, verdict, *found, *told)


def unknown(stage: str, name: str, why: object) -> Check:
    """A check that cannot be made."""
    return Check(stage, name, "unknown", meaning=str(why))


def above(value: float, suspicious: float, broken: float) -> Verdict:
    """Verdict on a figure that should stay below both limits; nan is broken."""
    return "good" if value < suspicious else "suspicious" if value < broken else "broken"


def worst(*verdicts: Verdict) -> Verdict:
    """Of several verdicts on one thing."""
    return "broken" if "broken" in verdicts else "suspicious" if "suspicious" in verdicts else "good"


def first_cause(checks: Sequence[Check]) -> Check | None:
    """The first broken check in the order in which stages follow each other; else the first suspicious one."""
    for verdict in ("broken", "suspicious"):
        found = next((check for check in checks if check.verdict == verdict), None)
        if found is not None:
            return found
    return None
