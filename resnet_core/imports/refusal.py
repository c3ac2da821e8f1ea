"""A file that is not imported, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from resnet_core.errors import UserError
from resnet_core.language import mark, tr


class ImportRefused(UserError):
    """A file cannot be imported, or an import cannot be accepted as asked; the message says what is wrong and what was expected."""


class ReaderFailed(UserError):
    """The process that looks into files could not do so, which is no fault of the file.

    Args:
        cause: what happened, as the part of a sentence, with places if there are values.
    """

    def __init__(self, cause: str, /, **values: Any):
        message = mark("The file was not looked into: {cause}. That is no fault of the file; make room or wait, and try it again.")
        self.cause = str(UserError(cause, **values))
        super().__init__(message, cause=self.cause)


def shown(name: object, most: int = 80) -> str:
    """A name out of a file as it may stand in a message: quoted, without control characters, of bounded length."""
    text = ascii(name) if isinstance(name, str) else ascii(str(name))
    return text if len(text) <= most else text[: most - 2] + "…'"


def listed(names: Iterable[object], most: int = 4) -> str:
    """The first few names, and how many there are beside them."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(shown(name) for name in names[:most]) + (tr(" and {rest:,} more", rest=rest) if rest > 0 else "")
