"""Experiments that show why, declared as data: the page Experiments and ``python -m resnet_core experiment`` are made from them. No torch.

For example::

    from resnet_core.experiments import EXPERIMENTS, run

    found = run(EXPERIMENTS["lesions"], find("resnet-56"), DataConfig(), {"images": 500})  # imports torch
"""

from resnet_core.experiments.base import Experiment, Measured, Table
from resnet_core.experiments.registry import EXPERIMENTS, find_experiment, run, seconds_per_image

__all__ = ["EXPERIMENTS", "Experiment", "Measured", "Table", "find_experiment", "run", "seconds_per_image"]
