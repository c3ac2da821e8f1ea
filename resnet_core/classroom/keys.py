"""The teacher's key and the viewers' ids. The key is told once, on the terminal: of it the app is given, and keeps, a digest alone.

Standard library only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

#: In the environment of the app: the digest of the teacher's key, which makes it a class; and the link for viewers.
KEY_DIGEST, LINK = "RESNET_LAB_CLASS", "RESNET_LAB_CLASS_LINK"


def new_key() -> str:
    """Make a key of 256 random bits, for an address."""
    return secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """Return what can be told of a key without telling the key: nobody guesses 256 random bits from it."""
    return hashlib.sha256(b"resnet-lab teacher " + key.encode("utf-8", "surrogatepass")).hexdigest()


def is_class() -> bool:
    """Tell whether the app was started for a class."""
    return bool(os.environ.get(KEY_DIGEST))


def is_teacher(key: str | None) -> bool:
    """Tell whether this is the teacher's key, in a time that does not depend on where it differs."""
    expected = os.environ.get(KEY_DIGEST, "")
    return bool(key and expected) and hmac.compare_digest(digest(key or ""), expected)


def viewer_id(token: str) -> str:
    """Return the id of the viewer whose browser holds ``token``: it cannot be turned back into the token, so whoever reads it is nobody."""
    return hashlib.sha256(b"resnet-lab viewer " + token.encode("utf-8", "surrogatepass")).hexdigest()[:16]
