"""What goes wrong with a class, in a message for whoever can mend it."""

from __future__ import annotations

from resnet_core.errors import UserError


class ClassError(UserError):
    """The file of the class cannot be used, or a question is not in a state that allows what was asked."""
