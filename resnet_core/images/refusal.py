"""An image that is not read, and why; and a file's name as it may stand in a message."""

from __future__ import annotations

import unicodedata

from resnet_core.errors import UserError

MAX_NAME = 80
#: For a name of which nothing is left.
NAMELESS = "image"


class ImageRefused(UserError):
    """An image file cannot be used; the message names it, says what is wrong and what to do."""


def printable(text: str) -> str:
    """A text of somebody else's on one line, without what is not made to be seen. It may still be markup."""
    # Cc, Cf, Cs, Co, Cn: control characters, those that turn the direction of writing, halves of pairs. Zl and Zp break lines.
    shown = "".join(c for c in text if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp"))
    return " ".join(shown.split())


def safe_name(name: str) -> str:
    """The last part of a path or a URL, on one line, of at most ``MAX_NAME`` characters; ``image`` if nothing is left of it.

    What is left may still be markup: who puts it into HTML or Markdown escapes it.
    """
    shown = printable(name.replace("\\", "/").rstrip("/").rpartition("/")[2])
    if len(shown) > MAX_NAME:  # the end says what kind of file it claims to be
        shown = f"{shown[: MAX_NAME - 21]}…{shown[-20:]}"
    return NAMELESS if shown in ("", ".", "..") else shown
