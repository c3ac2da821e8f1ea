"""An image that is not read, and why; and a file's name as it may stand in a message."""

from __future__ import annotations

import unicodedata

from resnet_core.errors import UserError

MAX_NAME = 80
#: For a name of which nothing is left.
NAMELESS = "image"


class ImageRefused(UserError):
    """An image file cannot be used; the message names it, says what is wrong and what to do."""


def safe_name(name: str) -> str:
    """The last part of a path or a URL, on one line, of at most ``MAX_NAME`` characters; ``image`` if nothing is left of it.

    Control characters, those that turn the direction of writing and halves of surrogate pairs are removed. What is left may still be
    markup: who puts it into HTML or Markdown escapes it.
    """
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # Cc, Cf, Cs, Co, Cn: not made to be seen. Zl and Zp break lines.
    shown = "".join(c for c in base if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp"))
    shown = " ".join(shown.split())
    if len(shown) > MAX_NAME:  # the end says what kind of file it claims to be
        shown = f"{shown[: MAX_NAME - 21]}…{shown[-20:]}"
    return NAMELESS if shown in ("", ".", "..") else shown
