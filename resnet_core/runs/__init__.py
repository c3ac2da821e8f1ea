"""Runs: folders that describe themselves, a queue that all viewers share, and the worker processes that train.

Importing this package does not import torch; the worker does, when it has something to train.
"""

from resnet_core.runs.files import home
from resnet_core.runs.looking import Look
from resnet_core.runs.run import STATES, Run, RunStatus
from resnet_core.runs.store import RunStore

__all__ = ["STATES", "Look", "Run", "RunStatus", "RunStore", "home"]
