"""Errors that a user can cause.

Each carries one message fit to be shown as it is, on a page or as one line on stderr: what was wrong, in which field or
file, and what to do. Anything that is not a ``UserError`` is a bug of ours.
"""

from __future__ import annotations

from typing import Any

from resnet_core.language import tr


class UserError(Exception):
    """Something the user can mend. ``str(error)`` is the whole message, without a trailing newline, in the language of who reads it.

    Attributes:
        message: an English sentence, with places if there are values; values: what stands in them.
    """

    def __init__(self, message: str, /, **values: Any):
        super().__init__(message)
        self.message, self.values = message, values

    def __str__(self) -> str:
        return tr(self.message, **self.values)


class ConfigError(UserError):
    """A field of a configuration is out of its range.

    Attributes:
        field: the name of the field as it stands in the dataclass, e.g. ``"depth"``.
    """

    def __init__(self, field: str, message: str, /, **values: Any):
        super().__init__(message, **values)
        self.args = (field, message)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {super().__str__()}"


class DataError(UserError):
    """A data set is missing, short or corrupted; the message names every file concerned."""


class CheckpointError(UserError):
    """A checkpoint cannot be read, or does not fit the net it is to be loaded into."""


class Stopped(Exception):
    """``should_stop`` said so: there is no result."""


class RunError(UserError):
    """A run does not exist, or is not in a state that allows what was asked of it."""
