"""Where the system's Chromium is. ``python -m tests.chromium`` prints it, or says what to install."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
MISSING = "The browser tests need Chromium or Chrome: install it (Debian: apt-get install chromium), or set CHROMIUM to its path."


def find() -> str | None:
    """The path of a Chromium or Chrome, or None: ``CHROMIUM``, then the usual names on the PATH, then macOS's places."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    return next(filter(None, map(shutil.which, NAMES)), None) or next((path for path in ELSEWHERE if Path(path).exists()), None)


if __name__ == "__main__":
    found = find()
    sys.exit(MISSING) if found is None else print(found)
