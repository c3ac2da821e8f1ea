"""Checkpoints from elsewhere: read without trust, recognised, converted, measured, and kept once somebody has accepted them.

from resnet_core.imports import accept, inspect_file, suggest_name
from resnet_core.imports.trial import trial  # imports torch

proposal = inspect_file("resnet20.th")         # raises ImportRefused; writes nothing
measured = trial(proposal)                     # the error for each open choice
best = measured.suggested
net = accept(proposal, suggest_name(proposal), best.normalization, best.shortcut, errors=measured)
"""

from resnet_core.imports.acceptance import accept, delete, suggest_name, valid_name
from resnet_core.imports.inspection import inspect_bytes, inspect_file
from resnet_core.imports.proposal import LAYOUTS, Proposal
from resnet_core.imports.refusal import ImportRefused, ReaderFailed

__all__ = ["LAYOUTS", "ImportRefused", "Proposal", "ReaderFailed", "accept", "delete"]
__all__ += ["inspect_bytes", "inspect_file", "suggest_name", "valid_name"]
