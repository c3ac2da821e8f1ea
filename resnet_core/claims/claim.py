"""A claim, and what comes of judging it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from resnet_core.claims.material import UNWARMED, Cohort
from resnet_core.language import mark, tr
from resnet_core.noise import CLEAR, Difference

REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_AT_SCHEDULE, NOT_RUN = STATUSES = (
    mark("reproduced"), mark("not reproduced"), mark("undecided"), mark("not yet run at the paper's schedule"), mark("not yet run"),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What trained nets say of a claim: our value as text with its unit, the status, and a sentence with the numbers that led to it."""

    ours: str
    status: str
    evidence: str


def judged(holds: bool, ours: str, evidence: str) -> Finding:
    """Make a finding that the criterion decided."""
    return Finding(ours, REPRODUCED if holds else NOT_REPRODUCED, evidence)


def judged_by_signs(signs: Iterable[int], ours: str, evidence: str) -> Finding:
    """Make a finding from differences, each 1 where it is clearly as claimed, -1 where clearly the contrary, 0 where neither."""
    signs = list(signs)
    status = NOT_REPRODUCED if -1 in signs else UNDECIDED if 0 in signs else REPRODUCED
    return Finding(ours, status, evidence)


def margin(difference: Difference) -> str:
    """Write what a difference must exceed, with its sign: ``± 0.57``."""
    return f"± {CLEAR * difference.standard_error:.2f}"


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
        partial: the finding of a cohort that has some of them, of what they say already; its status is ``NOT_RUN`` unless they decide
            the claim by themselves. None where nothing is said of it.
    """

    id: str
    group: str
    text: str
    source: str
    paper: str
    criterion: str
    needs: tuple[str, ...]
    judge: Callable[[Cohort], Finding]
    partial: Callable[[Cohort], Finding | None] | None = None


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
    names = [name.removesuffix(UNWARMED) + tr(UNWARMED) if name.endswith(UNWARMED) else name for name in names]
    return names[0] if len(names) == 1 else tr("{names} and {names2}", names=", ".join(names[:-1]), names2=names[-1])


def look(claim: Claim, cohort: Cohort) -> Result:
    """Judge the claim by one cohort; not yet run where nets are missing, unless those that are there decide it."""
    missing = tuple(name for name in claim.needs if name not in cohort.nets)
    present = tuple(net.id for name in claim.needs for net in cohort.nets.get(name, ()))
    if not missing:
        return Result(claim, claim.judge(cohort), (), present, cohort.fraction if claim.needs else None)
    so_far = claim.partial(cohort) if claim.partial and present else None
    evidence = tr(
        "Missing: {listed}.{value}", listed=listed(missing), value=tr(" So far: {evidence}", evidence=so_far.evidence) if so_far else ""
    )
    finding = Finding(so_far.ours if so_far else "–", so_far.status if so_far else NOT_RUN, evidence)
    return Result(claim, finding, missing, present if so_far else (), cohort.fraction if so_far else None)
