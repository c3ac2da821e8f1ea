"""The paper's claims with their findings as rows: for the page's tables, and for a file."""

from __future__ import annotations

from collections.abc import Sequence

from pages.ui.labels import escaped
from resnet_core import claims
from resnet_core.claims import Result
from resnet_core.conditions import fraction_short
from resnet_core.csv_text import csv_text
from resnet_core.language import tr

#: status -> (icon, colour of its badge)
MARKS = {
    claims.REPRODUCED: (":material/check_circle:", "green"),
    claims.NOT_REPRODUCED: (":material/cancel:", "red"),
    claims.UNDECIDED: (":material/balance:", "orange"),
    claims.NOT_AT_SCHEDULE: (":material/hourglass_empty:", "gray"),
    claims.NOT_RUN: (":material/schedule:", "gray"),
}
COLUMNS = ("id", "group", "claim", "source", "status", "paper", "ours", "schedule_fraction", "nets", "evidence", "criterion")


def badge(status: str, count: int | None = None) -> str:
    """The mark as a Markdown badge: icon and word, so that colour is not all there is."""
    icon, color = MARKS[status]
    return f":{color}-badge[{icon} {f'{count} ' if count is not None else ''}{status}]"


def cells(result: Result) -> dict[str, str]:
    """A row of the page's tables, as Markdown."""
    claim, finding = result.claim, result.finding
    ours = f"**{escaped(finding.ours)}**" if finding.ours != "–" else "–"
    if result.fraction is not None and finding.ours != "–":
        ours += f"  \n:small[{schedule(result.fraction)}]"
    return {
        "": badge(result.status),
        tr("the paper's claim"): f"{escaped(claim.text)}  \n:small[{claim.source}]",
        tr("its value"): escaped(claim.paper),
        tr("ours"): ours,
        tr("evidence and criterion"): tr(
            "{evidence}  \n:small[Criterion: {criterion}]", evidence=escaped(finding.evidence), criterion=escaped(claim.criterion)
        ),
    }


def schedule(fraction: float) -> str:
    """``1/4 of the schedule``, ``full schedule``."""
    short = fraction_short(fraction)
    return (
        tr("full schedule")
        if short == "full"
        else tr("{short} the schedule", short=short)
        if fraction > 1
        else tr("{short} of the schedule", short=short)
    )


def as_csv(results: Sequence[Result]) -> str:
    """A row a claim."""
    rows = []
    for result in results:
        claim, finding = result.claim, result.finding
        fraction = "" if result.fraction is None else f"{result.fraction:.6g}"
        nets = " ".join(result.used)
        row = (claim.id, claim.group, claim.text, claim.source, result.status, claim.paper, finding.ours, fraction, nets)
        rows.append((*row, finding.evidence, claim.criterion))
    return csv_text(COLUMNS, rows)
