"""All claims in the order of the page, and their evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from resnet_core.claims import figure6, inside, table6
from resnet_core.claims.claim import NOT_RUN, Claim, Result, look
from resnet_core.claims.material import Cohort, TrainedNet, cohorts
from resnet_core.language import mark

CLAIMS: tuple[Claim, ...] = (*table6.CLAIMS, *figure6.CLAIMS, *inside.CLAIMS)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(claim.group for claim in CLAIMS))
#: What is said once beside the claims of a group.
NOTES: dict[str, str] = {
    table6.ERRORS: table6.WHY_CLEAR,
    table6.PARAMS: mark("Counted from the nets themselves; this needs no training."),
    figure6.PLAIN: figure6.WHY_SCHEDULE,
    inside.RESPONSES: inside.WHAT_RESPONSES,
    inside.GRADIENTS: mark("Norms are of the loss's gradient with respect to each convolution's weight, on one training batch."),
}


def evaluate(nets: Iterable[TrainedNet], params: Mapping[str, int]) -> list[Result]:
    """Every claim, judged by the nets trained alike on the longest schedule that has all it needs.

    Args:
        nets: finished trainings; those that do not follow the paper's recipe are left out (``unlike_the_paper``).
        params: parameters of our nets by name, plain and residual of every depth of Table 6, as counted.
    """
    groups = cohorts(nets, params) or [Cohort({}, params)]
    results = []
    for claim in CLAIMS:
        looks = [look(claim, cohort) for cohort in groups]
        judged = [result for result in looks if result.status != NOT_RUN]
        # Where no cohort has them all, the one that lacks fewest tells what is missing.
        results.append(judged[0] if judged else min(looks, key=lambda result: len(result.missing)))
    return results
