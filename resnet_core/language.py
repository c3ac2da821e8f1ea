"""What people read, in their language: gettext catalogues, and the language of whoever is served now.

Code holds whole English sentences with named places, which are what is looked up (``locale/<language>/LC_MESSAGES/resnet_lab.po``)::

    tr("{done:,} of {total:,} images", done=3, total=1000)

The command line, worker processes and tests are answered in English; the app says whom it serves (``use`` and ``serve``).
"""

from __future__ import annotations

import gettext as _gettext
import io
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

#: The languages there are, by the code of their catalogue, each in its own name.
LANGUAGES = {"en": "English", "zh": "中文"}
#: Where the catalogues lie.
LOCALE = Path(__file__).parent / "locale"
DOMAIN = "resnet_lab"

_chosen: ContextVar[str | None] = ContextVar("language", default=None)
_serves: Callable[[], str | None] = lambda: None  # noqa: E731


def use(language: str) -> None:
    """Set the language of this thread. One that is not among ``LANGUAGES`` means English."""
    _chosen.set(language if language in LANGUAGES else "en")


def serve(whom: Callable[[], str | None]) -> None:
    """Set what tells the language of whoever a thread serves that has not called ``use``; it returns None where it serves nobody."""
    global _serves
    _serves = whom


def current() -> str:
    """Return the code of the language that is spoken now."""
    language = _chosen.get()
    if language is None and (language := _serves()) is not None:
        use(language)
    return language if language in LANGUAGES else "en"


def nearest(locale: str | None) -> str:
    """Return the language for what a browser calls its own, e.g. ``zh-Hans-CN``; English for one that is not spoken here."""
    language = (locale or "").replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else "en"


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    source = LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if language == "en":
        return _gettext.NullTranslations()
    # Compiled here, in about as long as it takes to look whether a compiled file is still the newest; English never comes here.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


def tr(message: str, **values: Any) -> str:
    """Translate an English sentence, and put ``values`` in its places.

    Args:
        message: as it stands in the code; ``{name}``, ``{name:,}`` and the like where a value goes, if there are values.
    """
    found = _catalogue(current()).gettext(message) if message else ""
    return found.format(**values) if values else found


def tr_n(number: float, one: str, many: str, **values: Any) -> str:
    """Translate a sentence that depends on a number; ``{number}`` stands for it.

    Args:
        one: for exactly one; many: for all other numbers.
    """
    found = _catalogue(current()).ngettext(one, many, 1 if number == 1 else 2)
    return found.format(number=number, **values)


def mark(message: str) -> str:
    """Return a sentence as it is: one that is declared here, for the catalogues, and translated where it is shown, by ``tr``."""
    return message
