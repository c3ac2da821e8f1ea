"""The trained nets that ship with the project: which ones, what is missing of them, and how a finished training becomes a checkpoint.

For example::

    python -m resnet_core zoo          # or: make zoo
"""

from resnet_core.zoo.plan import CONFIGS, Entry, entries, training_home

__all__ = ["CONFIGS", "Entry", "entries", "training_home"]
