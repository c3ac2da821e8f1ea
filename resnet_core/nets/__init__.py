"""Nets one can look into, whatever they come from: shipped checkpoints, imported ones, runs (finished or not), files.

For example::

    from resnet_core.nets import catalog, find
    from resnet_core.nets.loading import load  # imports torch

    net = find("resnet-56")
    logits = load(net).logits(images)
"""

from resnet_core.nets.catalog import Catalog, Net, catalog, find, shipped_nets
from resnet_core.nets.normalization import NORMALIZATIONS, Normalization
from resnet_core.nets.words import told_apart

__all__ = ["NORMALIZATIONS", "Catalog", "Net", "Normalization", "catalog", "find", "shipped_nets", "told_apart"]
