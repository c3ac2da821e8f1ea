"""The claims of He et al. 2016 on its CIFAR-10 nets as data, and what trained nets say of each: reproduced, not
reproduced, undecided, or not yet run.

    results = evaluate([TrainedNet(...), ...], params={"ResNet-20": 269_722, ...})

Every value is computed from configurations, final errors and records; the paper's numbers come from ``resnet_core.paper``.
"""

from resnet_core.claims.catalogue import CLAIMS, GROUPS, NOTES, evaluate
from resnet_core.claims.claim import NOT_AT_SCHEDULE, NOT_REPRODUCED, NOT_RUN, REPRODUCED, STATUSES, UNDECIDED, Claim, Finding, Result
from resnet_core.claims.material import Cohort, TrainedNet, cohorts, unlike_the_paper

__all__ = [
    "CLAIMS",
    "GROUPS",
    "NOTES",
    "NOT_AT_SCHEDULE",
    "NOT_REPRODUCED",
    "NOT_RUN",
    "REPRODUCED",
    "STATUSES",
    "UNDECIDED",
    "Claim",
    "Cohort",
    "Finding",
    "Result",
    "TrainedNet",
    "cohorts",
    "evaluate",
    "unlike_the_paper",
]
