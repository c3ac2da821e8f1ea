"""A claim, and what comes of judging it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resnet_core.claims.material import Cohort

REPRODUCED, NOT_REPRODUCED, NOT_RUN = STATUSES = ("reproduced", "not reproduced", "not yet run")


@dataclass(frozen=True)
class Finding:
    """What trained nets say of a claim: our value as text with its unit, the status, and a sentence with the numbers that led to it."""

    ours: str
    status: str
    evidence: str


def judged(holds: bool, ours: str, evidence: str) -> Finding:
    """A finding that the criterion decided."""
    return Finding(ours, REPRODUCED if holds else NOT_REPRODUCED, evidence)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        id: stable, for links and files.
        group: the heading it stands under.
        text: what the paper says.
        source: table, figure or section of He et al. 2016.
        paper: the paper's number or statement as it is shown beside ours.
        criterion: when it counts as reproduced; a whole sentence.
        needs: names of the nets it takes; none for what needs no training.
        judge: the finding of a cohort that has all of them.
        partial: what can be said while some are missing: the end of a sentence on those that are there, or empty.
    """

    id: str
    group: str
    text: str
    source: str
    paper: str
    criterion: str
    needs: tuple[str, ...]
    judge: Callable[[Cohort], Finding]
    partial: Callable[[Cohort], str] | None = None


@dataclass(frozen=True)
class Result:
    """A claim with its finding.

    Attributes:
        missing: names of the nets that it waits for.
        used: ids of the runs or checkpoints it was judged by.
        fraction: of the paper's schedule that these saw; None where nothing was trained for it.
    """

    claim: Claim
    finding: Finding
    missing: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    fraction: float | None = None

    @property
    def status(self) -> str:
        return self.finding.status


def listed(names: Sequence[str]) -> str:
    """``plain-20``, ``plain-20 and plain-56``, ``plain-20, plain-32 and plain-56``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def look(claim: Claim, cohort: Cohort) -> Result:
    """The claim judged by one cohort; not yet run where nets are missing."""
    missing = tuple(name for name in claim.needs if name not in cohort.nets)
    present = tuple(cohort[name].id for name in claim.needs if name in cohort.nets)
    if not missing:
        return Result(claim, claim.judge(cohort), (), present, cohort.fraction if claim.needs else None)
    so_far = claim.partial(cohort) if claim.partial and present else ""
    evidence = f"Missing: {listed(missing)}.{' So far: ' + so_far + '.' if so_far else ''}"
    return Result(claim, Finding("–", NOT_RUN, evidence), missing, present if so_far else (), cohort.fraction if so_far else None)
