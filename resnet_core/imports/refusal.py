"""A file that is not imported, and why."""

from __future__ import annotations

from collections.abc import Iterable

from resnet_core.errors import UserError


class ImportRefused(UserError):
    """A file cannot be imported, or an import cannot be accepted as asked; the message says what is wrong and what was expected."""


def shown(name: object, most: int = 80) -> str:
    """A name out of a file as it may stand in a message: quoted, without control characters, of bounded length."""
    text = ascii(name) if isinstance(name, str) else ascii(str(name))
    return text if len(text) <= most else text[: most - 2] + "…'"


def listed(names: Iterable[object], most: int = 4) -> str:
    """The first few names, and how many there are beside them."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(shown(name) for name in names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
