"""What people read, in their language: gettext catalogues, and the language of whoever is served now.

Code holds whole English sentences with named places, which are what is looked up (``locale/<language>/LC_MESSAGES/resnet_lab.po``)::

    tr("{done:,} of {total:,} images", done=3, total=1000)

The command line, worker processes and tests are answered in English; the app says whom it serves (``use`` and ``serve``).
"""

from __future__ import annotations

import gettext as _gettext
import io
import os
import re
import string
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

#: The languages there are, by the code of their catalogue, each in its own name.
LANGUAGES = {"en": "English", "zh": "中文"}
#: Where the catalogues lie.
LOCALE = Path(__file__).parent / "locale"
DOMAIN = "resnet_lab"
#: So many characters of its own tell a sentence from others that have values in its places.
_TELLING = 12

_chosen: ContextVar[str | None] = ContextVar("language", default=None)
#: For a process that works for somebody: their language.
ENVIRONMENT = "RESNET_LAB_LANGUAGE"
_serves: Callable[[], str | None] = lambda: os.environ.get(ENVIRONMENT)  # noqa: E731


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


def catalogue_path(language: str) -> Path:
    """Return where the catalogue of a language lies."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    if language == "en":
        return _gettext.NullTranslations()
    # Compiled in memory, which takes most of a second, once a process: no compiled file can be older than its source. English never
    # comes here.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with catalogue_path(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


class Sentence(str):
    """A sentence that was declared (``mark``): English as a value, and said in the language of the reader where it is put into a text.

    ``str(sentence)`` and ``f"{sentence}"`` translate; ``==``, ``join``, JSON and keys of a dictionary see English. What is handed to a
    widget or a figure as it is takes ``tr(sentence)``.

    Attributes:
        message: as it stands in the code; values: what stands in its places.
    """

    message: str
    values: dict[str, Any]

    def __new__(cls, message: str, values: dict[str, Any] | None = None) -> Sentence:
        english = {name: str.__str__(value) if isinstance(value, Sentence) else value for name, value in (values or {}).items()}
        made = super().__new__(cls, message.format(**english) if english else message)
        made.message, made.values = message, values or {}
        return made

    def __str__(self) -> str:
        return tr(self)

    def __format__(self, spec: str) -> str:
        return format(tr(self), spec)


def tr(message: str, /, **values: Any) -> str:
    """Translate an English sentence, and put ``values`` in its places.

    Args:
        message: as it stands in the code; ``{name}``, ``{name:,}`` and the like where a value goes, if there are values. Or what ``mark``
            has returned.
    """
    if isinstance(message, Sentence):
        values = message.values | values
        message = message.message
    found = _catalogue(current()).gettext(message) if message else ""
    return found.format(**values) if values else found


@cache
def _titles() -> dict[str, str]:
    """Sentences in the other languages -> in English; what two of them are translated to alike is left out."""
    found: dict[str, str | None] = {}
    for language in [each for each in LANGUAGES if each != "en"]:
        for message, text in getattr(_catalogue(language), "_catalog", {}).items():
            if isinstance(message, str) and message and text:
                found[text] = message if found.get(text, message) == message else None
    return {text: message for text, message in found.items() if message}


def again(text: str) -> str:
    """Say a whole sentence of any language in the one that is spoken now; what is none stays as it is."""
    return tr(text if text.isascii() else _titles().get(text, text))


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """What each English sentence with places looks like -> its translation, the one with most words of its own first."""
    found = []
    for message, text in getattr(_catalogue(language), "_catalog", {}).items():
        if isinstance(message, str) and "{" in message and "%{" not in message:
            parts = list(string.Formatter().parse(message))
            names: set[str] = set()
            shape = ""
            for literal, name, _, _ in parts:
                place = "" if name is None else f"(?P={name})" if name in names else f"(?P<{name}>.+?)"
                names.add(name or "")
                shape += re.escape(literal) + place
            own = sum(len(literal) for literal, *_ in parts)
            if own >= _TELLING:
                found.append((own, re.compile(shape, re.DOTALL), text))
    return [(pattern, text) for _, pattern, text in sorted(found, key=lambda one: -one[0])]


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)[^{}]*\}", lambda place: values[place[1]], text)


def retold(text: str) -> str:
    """Say a text that was kept in English (a run's message, a note of a model card) in the language that is spoken now.

    It is looked up as a sentence, else as one with values in its places; what is none is given as it is.
    """
    if current() == "en" or (said := tr(text)) != text:
        return text if current() == "en" else said
    for pattern, translated in _patterns(current()):
        if match := pattern.fullmatch(text):
            return _filled(translated, {name: retold(value) for name, value in match.groupdict().items()})
    return text


def tr_n(number: float, one: str, many: str, /, **values: Any) -> str:
    """Translate a sentence that depends on a number; ``{number}`` stands for it.

    Args:
        one: for exactly one; many: for all other numbers.
    """
    found = _catalogue(current()).ngettext(one, many, 1 if number == 1 else 2)
    return found.format(number=number, **values)


def together(words: Iterable[object]) -> str:
    """Put words beside one another: a and b."""
    return tr(" and ").join(map(str, words))


def mark(message: str, /, **values: Any) -> str:
    """Declare a sentence, for the catalogues: it is English, and translated where it is shown, by ``tr``."""
    return Sentence(message, values)
