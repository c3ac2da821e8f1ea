"""The learning rate as a pure function of the iteration, and of what only the training can tell: whether it warms up, its plateaus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from resnet_core.config import Recipe


@dataclass
class Plateau:
    """When the error has stopped falling, by the rule of ``Recipe.patience``. The test error is not to be told to it.

    Attributes:
        lowest: error so far, in percent. waited: measurements since. lowered: plateaus so far, each of which lowers the rate.
    """

    lowest: float = math.inf
    waited: int = 0
    lowered: int = 0

    def measured(self, error: float, patience: int) -> None:
        """Take in the next measurement. After a plateau the waiting begins anew; the lowest error stays what it was."""
        if error < self.lowest:
            self.lowest, self.waited = error, 0
            return
        self.waited += 1
        if self.waited == patience:
            self.waited, self.lowered = 0, self.lowered + 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: before the first measurement there is no lowest error."""
        return {"lowest": None if math.isinf(self.lowest) else self.lowest, "waited": self.waited, "lowered": self.lowered}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plateau:
        """Raises KeyError, TypeError or ValueError for what ``to_dict`` does not make."""
        lowest = values["lowest"]
        return cls(math.inf if lowest is None else float(lowest), int(values["waited"]), int(values["lowered"]))


def learning_rate(recipe: Recipe, iteration: int, *, warming: bool = False, lowered: int = 0) -> float:
    """The rate of the update that follows ``iteration`` updates.

    Args:
        warming: the ``error`` warm-up (the 110-layer rule of section 4.2) still holds.
        lowered: of the schedule ``plateau``, how many there were.
    """
    if recipe.warmup == "error" and warming:
        return recipe.warmup_learning_rate
    done = iteration / recipe.iterations
    rate = recipe.learning_rate
    if recipe.schedule == "step":
        rate *= recipe.gamma ** sum(iteration >= round(m * recipe.iterations) for m in recipe.milestones)
    elif recipe.schedule == "linear":
        rate *= 1 - done
    elif recipe.schedule == "cosine":
        rate *= (1 + math.cos(math.pi * done)) / 2
    elif recipe.schedule == "plateau":
        rate *= recipe.gamma**lowered
    if recipe.warmup == "linear" and iteration < recipe.warmup_iterations:
        rate *= (iteration + 1) / recipe.warmup_iterations
    return rate
