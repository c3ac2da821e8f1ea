"""The learning rate as a pure function of the iteration."""

from __future__ import annotations

import math

from resnet_core.config import Recipe


def learning_rate(recipe: Recipe, iteration: int, *, warming: bool = False) -> float:
    """The rate of the update that follows ``iteration`` updates.

    Args:
        warming: the ``error`` warm-up (the 110-layer rule of section 4.2) still holds.
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
    if recipe.warmup == "linear" and iteration < recipe.warmup_iterations:
        rate *= (iteration + 1) / recipe.warmup_iterations
    return rate
